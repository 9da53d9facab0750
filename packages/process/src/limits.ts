import type { FileDescriptor, Process } from "@nearfar/core";
import { native, type Resource, resources, toChoice } from "@nearfar/core/internal";
import { INFINITY, type Limit, type Limits, toRlimit } from "./rlimit.ts";
import { withPid } from "./with-pid.ts";

export type { Limit, Limits } from "./rlimit.ts";

/**
 * Limits a resource of the current task and all that it will start.
 *
 * In this process that is Node as a whole.
 *
 * @param resource - `"nofile"`, `"nproc"`, `"core"`, … all sixteen of getrlimit(2).
 * @param limit - Both limits, or one value for both, in the unit that getrlimit(2) gives: bytes, seconds, or a count.
 * @throws `EPERM` the hard limit would be raised · `EINVAL` the soft limit is above the hard one · `TaskGoneError`
 * @example A program that may open no more than 64 descriptors, and leaves no core dump
 * ```ts
 * await using task = await Task.clone();
 * await task.batch(() => {
 *   setrlimit("nofile", { soft: 64, hard: 64 });
 *   setrlimit("core", 0);
 * });
 * await task.exec("sh", ["sh", "-c", "test $(ulimit -n) = 64"]).check();
 * ```
 * @see setrlimit(2); CAP_SYS_RESOURCE to raise a hard limit
 */
export function setrlimit(resource: Resource, limit: Limit | Limits): void {
	const number = toChoice(resources, resource, "resource");
	native().setrlimit(number, toRlimit(limit, "limit"));
}

/**
 * Returns the limits of the current task for a resource, as `prlimit(resource)` does.
 *
 * @returns `Infinity` where there is none; a bigint where a number would not be exact.
 * @throws `BatchError` in a batch · `TaskGoneError`
 * @example
 * ```ts
 * const { soft, hard } = getrlimit("nofile");
 * console.log(soft <= hard); // true
 * ```
 * @see getrlimit(2); no privilege
 */
export function getrlimit(resource: Resource): Limits<number | bigint> {
	return prlimit(resource);
}

/**
 * Returns the limits of a process for a resource, and changes them, in one step.
 *
 * @param resource - `"nofile"`, `"nproc"`, `"core"`, … all sixteen of getrlimit(2).
 * @param limits - The new limits. Default: they stay.
 * @param process - A pid of the current task's pid namespace, a process, or a pidfd of the current task, which is asked
 * before and after the call whether its process still has the pid. Default, or 0: the current task; in this process,
 * Node as a whole.
 * @returns The limits before: `Infinity` where there was none; a bigint where a number would not be exact.
 * @throws `EPERM` the hard limit would be raised, or another user's process · `EINVAL` the soft limit is above the hard
 * one · `ESRCH` nobody has the pid, or the pidfd's process is gone: perhaps just now, and then a stranger may have had
 * its pid · `EBADF` not a pidfd · `ENOENT` a pidfd where `/proc` is not mounted · `NamespaceMismatchError` a process
 * of another pid namespace · `ChildDeadError` · `BatchError` in a batch · `TaskGoneError`
 * @example
 * ```ts
 * await using child = (await Task.clone()).exec("sleep", ["sleep", "60"]);
 * prlimit("core", { soft: 0, hard: "infinity" }, child);
 * ```
 * @see prlimit(2), Linux 2.6.36; the same user and group ids, or CAP_SYS_RESOURCE
 */
export function prlimit(
	resource: Resource,
	limits?: Limit | Limits,
	process: number | Process | FileDescriptor = 0,
): Limits<number | bigint> {
	const number = toChoice(resources, resource, "resource");
	const bytes = limits === undefined ? new Uint8Array() : toRlimit(limits, "limits");
	const before = withPid(process, "process", "prlimit", (pid) => native().prlimit(pid, number, bytes));
	const [soft = 0n, hard = 0n] = new BigUint64Array(Uint8Array.from(before).buffer);
	return { soft: fromBits(soft), hard: fromBits(hard) };
}

function fromBits(limit: bigint): number | bigint {
	if (limit === INFINITY) return Number.POSITIVE_INFINITY;
	return limit <= Number.MAX_SAFE_INTEGER ? Number(limit) : limit;
}
