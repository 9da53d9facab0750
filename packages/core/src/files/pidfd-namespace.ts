import { type NamespaceKind, pidfdNamespaces } from "../addon/flags.generated.ts";
import { toChoice } from "../addon/flags.ts";
import { native } from "../addon/native.ts";
import { BatchError } from "../errors.ts";
import { SyscallError } from "../syscall-error.ts";
import { type AnyTask, currentBatch, currentTask, taskOf } from "../target/target.ts";
import { adoptDescriptor, changeClass, type DescriptorClass, type FileDescriptor, numberOf } from "./descriptor.ts";
import { openat2 } from "./files.ts";
import { Location } from "./location.ts";
import { openProcessFolder, openSelf } from "./pidfd.ts";

/** The names in `/proc/<pid>/ns`: the kinds of namespaces that a process is in, and the two that its children will be in. */
export type NamespaceLink = NamespaceKind | "pid_for_children" | "time_for_children";

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
} as const satisfies Record<NamespaceLink, number>;

const PF_EXITING = 4; // a flag in proc_pid_stat(5)

// Whether a task can use the ioctls. The answer is kept for each task, because a task may have a seccomp filter.
const hasIoctls = new WeakMap<AnyTask, boolean>();

/**
 * Opens a namespace of the process of a pidfd of the current task. Throws ESRCH when the process has ended.
 *
 * @param pidfd - The number of the descriptor.
 * @param kind - The namespace, which is checked before any call.
 * @param made - The class of the new object.
 */
export function openNamespaceOf<T extends FileDescriptor>(
	pidfd: number,
	kind: NamespaceLink,
	made: DescriptorClass<T>,
): T {
	const request = toChoice(requests, kind, "kind");
	const task = currentTask();
	let ioctls = hasIoctls.get(task);
	if (ioctls === undefined) {
		ioctls = task.run(probeIoctls);
		hasIoctls.set(task, ioctls);
	}
	return ioctls
		? adoptDescriptor(native().ioctl(pidfd, request, 0, true), made)
		: changeClass(openInProc(pidfd, kind), made);
}

/**
 * Returns whether the kernel has the ioctls. A kernel without them fails with ENOTTY, and one with them refuses the
 * argument 1.
 */
function probeIoctls(): boolean {
	using self = openSelf();
	try {
		native().ioctl(numberOf(self), requests.uts, 1, true);
		return true;
	} catch (error) {
		return !(error instanceof SyscallError && error.code === "ENOTTY");
	}
}

/** Opens a namespace in `/proc`, for kernels before Linux 6.11. A batch cannot: the path depends on a pid that has to be read. */
function openInProc(pidfd: number, kind: NamespaceLink): FileDescriptor {
	if (currentBatch()) {
		throw new BatchError(
			"before Linux 6.11 the namespace of a process is found through /proc, and a batch cannot read: open the namespace before the batch, or in task.run()",
		);
	}
	using folder = openProcessFolder(pidfd);
	if (!folder) throw noProcess();
	try {
		return openat2(new Location(folder, `ns/${kind}`));
	} catch (error) {
		throw hasEnded(folder) ? noProcess() : error;
	}
}

/**
 * Returns whether the process of a directory in `/proc` is ending or has ended. A process leaves its namespaces before the process becomes a
 * zombie. The kernel reads no file of a process that was reaped.
 */
function hasEnded(folder: FileDescriptor): boolean {
	try {
		using stat = openat2(new Location(folder, "stat"));
		const [, state = "", flags] = /^\d+ \(.*\) (\S)(?: \S+){5} (\d+)/s.exec(stat.read(512).toString()) ?? [];
		return "ZX".includes(state) || (Number(flags) & PF_EXITING) !== 0;
	} catch {
		return true;
	}
}

function noProcess(): SyscallError {
	return new SyscallError({ code: "ESRCH", errno: 3, syscall: "ioctl" }, taskOf());
}
