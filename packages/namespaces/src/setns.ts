import { FileDescriptor, type NamespaceKind } from "@nearfar/core";
import {
	type AnyTask,
	currentTask,
	entersNamespaces,
	explained,
	integer,
	namespaceFlag,
	namespaceFlags,
	native,
	numberOf,
	threadId,
	toBits,
	wrongType,
} from "@nearfar/core/internal";
import { kindsOf } from "./kinds.ts";
import { hintForSetns } from "./setns-hint.ts";

/**
 * Moves the current task into an open namespace, or into namespaces of the process that a pidfd refers to.
 *
 * `"pid"` applies only to children that the task makes afterwards. With several kinds the task enters all of them, or
 * none. Entering a user namespace gives the task every capability in that namespace.
 *
 * @param fd - A descriptor of the current task: a file of `/proc/<pid>/ns`, or a pidfd.
 * @param kinds - With a namespace, the kind that it has to be; default: any. With a pidfd, the kinds to enter, at
 * least one.
 * @throws `EPERM` The task has no CAP_SYS_ADMIN in the user namespace that owns the entered one.
 * @throws `EPERM` `"mnt"` is entered without CAP_SYS_CHROOT in the task's own user namespace.
 * @throws `ENOTTY` In a thread of Node, without `kinds`: the descriptor is no namespace.
 * @throws `EINVAL` The descriptor is neither a namespace nor a pidfd, or the namespace is of another kind.
 * @throws `EINVAL` The namespace is the task's own user namespace, or a pid namespace that is no descendant of the
 * task's.
 * @throws `EINVAL` The kernel does not know a flag.
 * @throws `ESRCH` The process of the pidfd has ended.
 * @throws `EBADF` The descriptor is not open.
 * @throws `EUSERS` User namespaces would be nested more than 32 deep.
 * @throws `ERR_NEARFAR_FD_TABLE_MISMATCH` The descriptor belongs to another table; `task.put` copies it.
 * @throws `ERR_NEARFAR_MULTITHREADED` The call is made in Node: the kernel would change one thread of many. A thread of
 * `Task.thread` may enter `"cgroup"`, `"ipc"`, `"mnt"`, `"net"` and `"uts"`.
 * @throws `ERR_NEARFAR_TASK_GONE` The current task has executed a program, exited or died.
 * @throws `TypeError` `fd` is no `FileDescriptor`, or a name is no kind of namespace.
 * @throws `RangeError` `kinds` is a number that does not fit 32 bits.
 * @example
 * ```ts
 * await using home = await Task.clone({ namespaces: ["user", "uts"] });
 * home.run(() => setDumpable(true)); // an ordinary user may enter only the namespaces of a dumpable process
 * await using guest = await Task.clone();
 * using fd = guest.put(home.process.fd);
 * guest.run(() => setns(fd, ["user", "uts"]));
 * ```
 * @see setns(2), with a pidfd Linux 5.8; CAP_SYS_ADMIN in the user namespace that owns the entered one
 */
export function setns(fd: FileDescriptor, kinds?: readonly NamespaceKind[] | number): void {
	if (!(fd instanceof FileDescriptor)) throw wrongType("fd", "a FileDescriptor", fd);
	const task = currentTask();
	const asked = integer(toBits(namespaceFlags, kinds, "kinds"), "kinds", 0, 2 ** 32 - 1);
	// In a thread of Node the kernel is asked first: it would move the thread alone into a namespace of any kind.
	const flags = asked === 0 && threadId(task) !== undefined ? kindIn(task, fd) : asked;
	const number = numberOf(fd);
	explained(
		() => native().setns(number, flags),
		(refusal) => hintForSetns(task, fd, flags, refusal),
	);
	entersNamespaces(task, flags === 0 ? () => kindsOf(kindFlag(task, fd)) : kindsOf(flags));
}

function kindIn(task: AnyTask, fd: FileDescriptor): number {
	return task.run(() => namespaceFlag(numberOf(fd)));
}

function kindFlag(task: AnyTask, fd: FileDescriptor): number {
	try {
		return kindIn(task, fd);
	} catch {
		// A batch has closed the descriptor, or the task is gone. To assume all kinds is safe: handles of processes are then
		// refused wherever their numbers could mean other processes, and no namespace is taken for the task's own. A user
		// namespace would become the task's own.
		return Object.values(namespaceFlags).reduce((all: number, flag) => all | flag, 0) & ~namespaceFlags.user;
	}
}
