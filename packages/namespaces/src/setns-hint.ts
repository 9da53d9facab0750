import { FileDescriptor, type SyscallError } from "@nearfar/core";
import {
	type AnyTask,
	adoptDescriptor,
	capabilities,
	hasCapability,
	hintForNoNamespace,
	mayAsk,
	namespaceFlag,
	namespaceRequests,
	native,
	numberOf,
	statusOf,
} from "@nearfar/core/internal";
import { kindsOf } from "./kinds.ts";
import { isSameInode, readInode } from "./namespace-ids.ts";
import { openCurrent } from "./namespace-of.ts";

/**
 * Returns why the kernel has refused setns(2). The descriptor is looked at in the task, if the task replies at once.
 *
 * @param task - The task that was refused.
 * @param fd - A namespace, or a pidfd.
 * @param flags - The kinds that the call was given; 0: any.
 */
export function hintForSetns(
	task: AnyTask,
	fd: FileDescriptor,
	flags: number,
	{ code }: SyscallError,
): string | undefined {
	if ((code !== "EPERM" && code !== "EINVAL") || !mayAsk(task)) return undefined;
	return task.run(() => {
		const flag = flagOf(fd);
		if (flag === undefined) {
			if (code === "EPERM") return ofProcess(flags);
			return isPidfd(fd) ? undefined : hintForNoNamespace(fd);
		}
		const [kind = ""] = kindsOf(flag);
		if (code === "EPERM") return notAllowed(task, fd, kind);
		if (flags !== 0 && flags !== flag) return `the descriptor is a namespace of the kind "${kind}"`;
		if (kind === "user" && isOwn(fd)) return "the task is in this user namespace already: leave the call out";
		if (kind === "pid") {
			return "this pid namespace is neither the one of the task nor a descendant of it: enter from a task that is outside";
		}
		return undefined;
	});
}

function flagOf(fd: FileDescriptor): number | undefined {
	try {
		return namespaceFlag(numberOf(fd));
	} catch {
		return undefined; // ENOTTY: a pidfd
	}
}

/** True when a descriptor is a pidfd: the signal 0 only asks for the permission. */
function isPidfd(fd: FileDescriptor): boolean {
	try {
		native().pidfdSendSignal(numberOf(fd), 0, 0);
		return true;
	} catch (error) {
		return (error as SyscallError).code !== "EBADF"; // ESRCH, EPERM: a process that has ended, or of another user
	}
}

function ofProcess(flags: number): string {
	const first = kindsOf(flags).includes("user") ? "" : ' join "user" along with the other kinds, which belong to it;';
	return `the process of the pidfd belongs to a user namespace in which the task has no CAP_SYS_ADMIN, or is not dumpable:${first} call setDumpable(true) in the process that is joined`;
}

function isOwn(fd: FileDescriptor): boolean {
	using own = openCurrent("user", FileDescriptor);
	return isSameInode(readInode(own), readInode(fd));
}

function notAllowed(task: AnyTask, fd: FileDescriptor, kind: string): string | undefined {
	if (kind === "user") {
		return "the user namespace is no child of the task's own, or another user has made it: enter from a task that is in its parent, with the effective user id that has made it or with CAP_SYS_ADMIN";
	}
	using owner = ownerOf(fd);
	if (!owner) {
		return `the "${kind}" namespace belongs to a user namespace that lies not below the task's own, where a task gets no privilege: enter it before the task enters a user namespace`;
	}
	if (!isOwn(owner)) {
		return `the "${kind}" namespace belongs to another user namespace: join "user" first, setns of its owner or of a pidfd with ["user", "${kind}"]`;
	}
	const effective = statusOf(task)?.effective ?? 0n;
	const name = hasCapability(effective, capabilities.sysAdmin) ? "CAP_SYS_CHROOT" : "CAP_SYS_ADMIN";
	const isMissing =
		!hasCapability(effective, capabilities.sysAdmin) ||
		(kind === "mnt" && !hasCapability(effective, capabilities.sysChroot));
	return isMissing
		? `${name} is not effective in the task, which has to enter the "${kind}" namespace with it`
		: undefined;
}

/** Returns the user namespace that owns a namespace. `undefined`: it does not lie below the one of the current task. */
function ownerOf(fd: FileDescriptor): FileDescriptor | undefined {
	try {
		return adoptDescriptor(native().ioctl(numberOf(fd), namespaceRequests.owner, 0, true));
	} catch {
		return undefined;
	}
}
