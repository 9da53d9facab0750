import type { FileDescriptor, Process } from "@nearfar/core";
import { native, type Resource, resources, toChoice } from "@nearfar/core/internal";
import { INFINITY, type Limit, type Limits, toRlimit } from "./rlimit.ts";
import { withPid } from "./with-pid.ts";

export type { Limit, Limits } from "./rlimit.ts";

/**
 * Sets the limits of the current task, or of Node as a whole, for a resource. Children and programs inherit them.
 *
 * @param resource - `"nofile"`, `"nproc"`, `"core"`, … one of the sixteen of getrlimit(2).
 * @param limit - The soft and the hard limit, or one value for both, in the unit that getrlimit(2) gives: bytes,
 * seconds or a count. Each is a number from 0 to 2^53-1, a bigint from 0 to 2^64-1, or `"infinity"`.
 * @throws `EPERM` The call would raise the hard limit, and the caller has no CAP_SYS_RESOURCE.
 * @throws `EPERM` The hard limit for `"nofile"` would be above the sysctl `fs.nr_open`.
 * @throws `EINVAL` The soft limit is above the hard one.
 * @throws `ERR_NEARFAR_TASK_GONE` The current task has executed a program, exited or died.
 * @throws `TypeError` `resource` is an unknown name, or a limit is neither a number, a bigint nor `"infinity"`.
 * @throws `RangeError` A limit is negative, not whole, or too large for its type.
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
 * Returns the limits of the current task, or of Node, for a resource: the same as `prlimit(resource)`.
 *
 * @param resource - `"nofile"`, `"nproc"`, `"core"`, … one of the sixteen of getrlimit(2).
 * @returns The soft and the hard limit: `Infinity` for none, and a bigint above 2^53-1.
 * @throws `ERR_NEARFAR_BATCH` The call is inside a batch, which has no value to return yet.
 * @throws `ERR_NEARFAR_TASK_GONE` The current task has executed a program, exited or died.
 * @throws `TypeError` `resource` is an unknown name.
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
 * Returns the limits of a process for a resource, and sets new ones in the same step.
 *
 * @param resource - `"nofile"`, `"nproc"`, `"core"`, … one of the sixteen of getrlimit(2).
 * @param limits - The new limits, as in {@link setrlimit}. Default: the limits stay.
 * @param process - A pid from 0 to 2147483647 in the pid namespace of the current task, a process, or a pidfd of the
 * current task. Default, or 0: the current task; near, Node as a whole.
 * @returns The limits before the call: `Infinity` for none, and a bigint above 2^53-1.
 * @throws `EPERM` The call would raise the hard limit, and the caller has no CAP_SYS_RESOURCE.
 * @throws `EPERM` The process is another user's, and the caller has no CAP_SYS_RESOURCE.
 * @throws `EINVAL` The soft limit is above the hard one.
 * @throws `ESRCH` No process has the pid.
 * @throws `ESRCH` The process of the pidfd was reaped. prlimit(2) takes no pidfd, so the pidfd is asked for its pid
 * before and after the call: if the process was reaped in between, the call may have hit another process that got the
 * pid.
 * @throws `EBADF` The descriptor is not a pidfd.
 * @throws `ENOENT` Before Linux 6.13: `process` is a pidfd, and `/proc` is not mounted.
 * @throws `ERR_NEARFAR_NAMESPACE_MISMATCH` The process has its pid in another pid namespace than the current task.
 * @throws `ERR_NEARFAR_FD_TABLE_MISMATCH` The pidfd is not in the descriptor table of the current task.
 * @throws `ERR_NEARFAR_CHILD_DEAD` The process is a child that has ended.
 * @throws `ERR_NEARFAR_BATCH` The call is inside a batch, which has no value to return yet.
 * @throws `ERR_NEARFAR_TASK_GONE` The current task has executed a program, exited or died.
 * @throws `TypeError` `resource` is an unknown name, a limit is neither a number, a bigint nor `"infinity"`, or
 * `process` is neither a number, a `Process` nor a pidfd.
 * @throws `RangeError` A limit is negative, not whole, or too large for its type; or the pid is out of range.
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
