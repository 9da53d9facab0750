// What only the task itself can read. A refused call has a hint even if the task does not reply any more, so a task is asked
// only where it is sure to reply at once.
import type { NamespaceKind } from "../addon/flags.generated.ts";
import { native } from "../addon/native.ts";
import { FileDescriptor, numberOf } from "../files/descriptor.ts";
import { openat2 } from "../files/files.ts";
import { Location } from "../files/location.ts";
import { namespaceRequests } from "../files/namespace-file.ts";
import { isOnProcfs } from "../files/own-proc.ts";
import { findCgroups } from "../target/cgroups.ts";
import { readBounded } from "../target/read-bounded.ts";
import { type AnyTask, nearTask } from "../target/target.ts";
import { stateOf } from "../task/state.ts";
import { type Status, statusOf, withFolder } from "./look.ts";

const LENGTH = 4096; // bytes; no file that is read here is longer
const MOST_LOOKS = 200; // about 20 ms

/**
 * Returns true when a task replies at once, and survives the calls that read a file.
 *
 * A task that has still to reply to a batch may be in a call that blocks. A task that is stopped, traced or frozen does not reply. A
 * seccomp filter that this process does not have may kill the task at any call.
 */
export function mayAsk(task: AnyTask): boolean {
	if (task.isNear) return true;
	const { phase, requests } = stateOf(task);
	if (phase !== "live" || requests > 0) return false;
	const [status, own] = [waitingStatus(task), statusOf(nearTask())];
	if (!status || !own) return false;
	const isFiltered = status.seccomp !== own.seccomp || status.filters !== own.filters;
	return !isFiltered && !isFrozen(task);
}

/**
 * Returns the status of a task that waits for a call, which is the state `S`. A task is in the state `R` for a moment after it has replied,
 * and also between a signal that stops it and the stop itself.
 */
function waitingStatus(task: AnyTask): Status | undefined {
	for (let looks = 0; looks < MOST_LOOKS; looks++) {
		const status = statusOf(task);
		if (status?.state !== "R") return status?.state === "S" ? status : undefined;
	}
	return undefined;
}

function isFrozen(task: AnyTask): boolean {
	const groups = withFolder(task, (folder) => findCgroups(folder)) ?? [];
	return groups.some((group) => /^frozen 1$/m.test(readBounded(`${group}/cgroup.events`)));
}

/**
 * Returns the text of a sysctl as a task sees it, without the line break. `undefined`: there is no such sysctl, or it cannot be read.
 *
 * The limits of namespaces differ by the user namespace of the process that opens the file. So a task with a user namespace of its own opens the
 * file, and a task with mounts of its own does, because something else may be mounted there.
 *
 * @param task - The task.
 * @param name - The path below `/proc/sys`, such as `"user/max_net_namespaces"`.
 */
export function sysctlOf(task: AnyTask, name: string): string | undefined {
	const { kinds } = stateOf(task);
	const differs = kinds.has("user") || kinds.has("mnt");
	const ofUser = name.startsWith("user/");
	const asked =
		differs && mayAsk(task) ? (ask(task, name) ?? (ofUser ? askThroughProc(task, name) : undefined)) : undefined;
	// Another user namespace has other limits: the limits of this process would mislead.
	const near = ofUser && kinds.has("user") ? "" : readBounded(`/proc/sys/${name}`);
	return (asked ?? near).trim() || undefined;
}

function ask(task: AnyTask, name: string): string | undefined {
	return task.run(() => readHere(`/proc/sys/${name}`));
}

/** Has a task without a `/proc` of its own read through the one of this process. */
function askThroughProc(task: AnyTask, name: string): string | undefined {
	using near = nearTask().run(() => openat2("/proc", { flags: ["path", "directory"] }));
	if (!nearTask().run(() => isOnProcfs(near))) return undefined;
	using far = task.isNear ? undefined : task.put(near);
	return task.run(() => readHere(new Location(far ?? near, `sys/${name}`)));
}

/** Reads a file in the current task. A named pipe in its place blocks neither the opening nor the reading. */
function readHere(at: string | Location): string | undefined {
	try {
		using file = openat2(at, { flags: ["nonblock", "noctty"] });
		return file.read(LENGTH).toString();
	} catch {
		return undefined; // no such file, or no permission: the next way is tried
	}
}

/** Returns the path below `/proc/sys` of the limit on a kind of namespaces. */
export function namespaceLimitName(kind: NamespaceKind): string {
	return `user/max_${kind}_namespaces`;
}

/** Returns the limit of a kind of namespaces in the user namespace of a task. */
export function namespaceLimit(task: AnyTask, kind: NamespaceKind): { file: string; limit: string } | undefined {
	const name = namespaceLimitName(kind);
	const limit = sysctlOf(task, name);
	return limit === undefined ? undefined : { file: `/proc/sys/${name}`, limit };
}

const INITIAL_USER_NAMESPACE = "user:[4026531837]";
const MOST_LEVELS = 64; // more than the kernel has

/**
 * Returns how many user namespaces lie above the one of a task: every level if this process is in the initial one, otherwise the levels up
 * to the one of this process.
 */
export function userNesting(task: AnyTask): number | undefined {
	let namespace = openUserNamespace(task);
	if (!namespace) return undefined;
	let levels = 0;
	try {
		for (; levels < MOST_LEVELS; levels++) {
			const parent = parentOf(namespace);
			if (!parent) break;
			namespace.close();
			namespace = parent;
		}
	} finally {
		namespace.close();
	}
	return levels;
}

/** Returns true when this process is in the initial user namespace, which has nothing above it. False where `/proc` does not say so. */
export function isInitialUserNamespace(): boolean {
	try {
		return process.getBuiltinModule("node:fs").readlinkSync("/proc/self/ns/user") === INITIAL_USER_NAMESPACE;
	} catch {
		return false; // no /proc, or the one of another pid namespace
	}
}

function openUserNamespace(task: AnyTask): FileDescriptor | undefined {
	const near = withFolder(task, (folder) => {
		try {
			return nearTask().run(() => openat2(`${folder}/ns/user`));
		} catch {
			return undefined; // the task is not dumpable, and this process is no root
		}
	});
	if (near || task.isNear || !mayAsk(task)) return near;
	using far = task.run(() => openat2("/proc/self/ns/user", { flags: ["nonblock", "noctty"] }));
	return task.get(far);
}

function parentOf(namespace: FileDescriptor): FileDescriptor | undefined {
	return nearTask().run(() => {
		try {
			return FileDescriptor.from(native().ioctl(numberOf(namespace), namespaceRequests.parent, 0, true));
		} catch {
			return undefined; // EPERM: the namespace of this process, above which nothing is shown
		}
	});
}
