import { FileDescriptor, type NamespaceKind, type Task } from "@nearfar/core";
import { currentTask, integer, namespaceFlags, native, toBits, wrongType } from "@nearfar/core/internal";
import { kindsOf } from "./kinds.ts";

const SYS_ioctl = process.arch === "arm64" ? 29 : 16;
const NS_GET_NSTYPE = 0xb703; // since Linux 4.11

/**
 * Moves the current task into a namespace that is open, or into namespaces of the process that a pidfd is of.
 *
 * `"pid"` is for its children only. With several kinds all are entered, or none. Entering a user namespace gives every
 * capability in it.
 *
 * @param fd - A file of `/proc/pid/ns`, or a pidfd; a descriptor of the current task.
 * @param kinds - With a namespace what it has to be. Default: any. With a pidfd which ones, at least one.
 * @throws `EPERM` no CAP_SYS_ADMIN in the namespace's owner, or for `"mnt"` no CAP_SYS_CHROOT in one's own · `EINVAL`
 * not of that kind, neither namespace nor pidfd, one's own user namespace, a pid namespace that is no descendant, an
 * unknown flag · `ESRCH` the pidfd's process has ended · `EBADF` · `EUSERS` · `FDTableMismatchError` ·
 * `MultithreadedError` near · `TypeError`, `RangeError`
 * @example
 * ```ts
 * await using home = await Task.clone({ namespaces: ["user", "uts"] });
 * await using guest = await Task.clone();
 * using fd = guest.put(home.process.fd);
 * guest.run(() => setns(fd, ["user", "uts"]));
 * ```
 * @see setns(2), with a pidfd Linux 5.8; CAP_SYS_ADMIN in the user namespace that owns the one entered
 */
export function setns(fd: FileDescriptor, kinds?: readonly NamespaceKind[] | number): void {
	if (!(fd instanceof FileDescriptor)) throw wrongType("fd", "a FileDescriptor", fd);
	const flags = integer(toBits(namespaceFlags, kinds, "kinds"), "kinds", 0, 2 ** 32 - 1);
	const task = currentTask();
	native().setns(fd.number(), flags);
	task.entersNamespaces(flags === 0 ? () => kindsOf(kindFlag(task, fd)) : kindsOf(flags));
}

function kindFlag(task: Task, fd: FileDescriptor): number {
	try {
		return Number(task.run(() => native().syscall(SYS_ioctl, [fd.number(), NS_GET_NSTYPE])).result);
	} catch {
		// A batch has closed it, or the task is gone. "pid" is the safe one to assume: handles of processes are refused
		// where they could mean strangers.
		return namespaceFlags.pid;
	}
}
