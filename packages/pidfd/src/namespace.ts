import { type FileDescriptor, type NamespaceKind, openat2, SyscallError } from "@nearfar/core";
import { type AnyTask, adoptDescriptor, currentTask, native, pidfdNamespaces, toChoice } from "@nearfar/core/internal";
import { pidInProc } from "./identify.ts";

/** The kinds of namespaces that a process is in, and the two that its children will be in. */
export type PidFdNamespaceKind = NamespaceKind | "pid_for_children" | "time_for_children";

const requests = {
	cgroup: pidfdNamespaces.cgroup,
	ipc: pidfdNamespaces.ipc,
	mnt: pidfdNamespaces.mnt,
	net: pidfdNamespaces.net,
	pid: pidfdNamespaces.pid,
	pid_for_children: pidfdNamespaces.pidForChildren,
	time: pidfdNamespaces.time,
	time_for_children: pidfdNamespaces.timeForChildren,
	user: pidfdNamespaces.user,
	uts: pidfdNamespaces.uts,
} as const satisfies Record<PidFdNamespaceKind, number>;

// A task can have forbidden itself what its kernel knows.
const known = new WeakMap<AnyTask, boolean>();

/** Opens a namespace of the process that a pidfd of the current task stands for. */
export function openNamespace(pidfd: number, kind: PidFdNamespaceKind): FileDescriptor {
	const request = toChoice(requests, kind, "kind");
	const task = currentTask();
	let hasIoctl = known.get(task);
	if (hasIoctl === undefined) {
		hasIoctl = task.run(probe);
		known.set(task, hasIoctl);
	}
	return hasIoctl ? adoptDescriptor(native().pidfdNamespace(pidfd, request, 0)) : openInProc(pidfd, kind);
}

/** Whether the kernel has the ioctls: those that do refuse an argument, of every process. */
function probe(): boolean {
	const self = native().pidfdOpen(native().getpid(), 0);
	try {
		native().pidfdNamespace(self, requests.uts, 1);
		return true;
	} catch (error) {
		return !(error instanceof SyscallError && error.code === "ENOTTY");
	} finally {
		native().close(self);
	}
}

/** The way before Linux 6.11. A process that still has its pid afterwards had it all the while. */
function openInProc(pidfd: number, kind: PidFdNamespaceKind): FileDescriptor {
	const pid = pidInProc(pidfd);
	if (pid === undefined) throw gone();
	let file: FileDescriptor;
	try {
		file = openat2(`/proc/${pid}/ns/${kind}`);
	} catch (error) {
		throw pidInProc(pidfd) === pid && !isZombie(pid) ? error : gone();
	}
	if (pidInProc(pidfd) === pid) return file;
	file.close();
	throw gone();
}

function isZombie(pid: number): boolean {
	using stat = openat2(`/proc/${pid}/stat`);
	return /^\d+ \(.*\) [ZX]/s.test(stat.read(512).toString());
}

function gone(): SyscallError {
	return new SyscallError({ code: "ESRCH", errno: 3, syscall: "ioctl" });
}
