import { ChildProcess } from "@nearfar/core";
import { pid as checkPid, currentBatch, native, visiblePid, wrongType } from "@nearfar/core/internal";

/**
 * Returns the process group of a process.
 *
 * @param pid - 1 or more, as the pid namespace of the current task counts; 0 for the current task. Default: 0.
 * @returns The id of the group; 0 where the group's leader is not visible from the pid namespace.
 * @throws `ESRCH` No process has the pid.
 * @throws `ERR_NEARFAR_BATCH` The call is inside a batch, which has no value to return yet.
 * @throws `ERR_NEARFAR_TASK_GONE` The current task has executed a program, exited or died.
 * @throws `TypeError` `pid` is not a number.
 * @throws `RangeError` `pid` is not an integer from 0 to 2147483647.
 * @example
 * ```ts
 * console.log(getpgid() === getpgrp()); // true
 * ```
 * @see getpgid(2); no privilege
 */
export function getpgid(pid = 0): number {
	return native().getpgid(checkPid(pid, "pid", 0));
}

/**
 * Returns the process group of the current task, as `getpgid(0)` does.
 *
 * @returns The id of the group; 0 where the group's leader is not visible from the pid namespace.
 * @throws `ERR_NEARFAR_BATCH` The call is inside a batch, which has no value to return yet.
 * @throws `ERR_NEARFAR_TASK_GONE` The current task has executed a program, exited or died.
 * @example
 * ```ts
 * await using task = await Task.clone();
 * console.log(task.run(getpgrp) === getpgrp()); // true: a task starts in Node's group
 * ```
 * @see getpgrp(2); no privilege
 */
export function getpgrp(): number {
	return native().getpgid(0);
}

/**
 * Returns the session of a process.
 *
 * @param pid - 1 or more, as the pid namespace of the current task counts; 0 for the current task. Default: 0.
 * @returns The id of the session; 0 where the session's leader is not visible from the pid namespace.
 * @throws `ESRCH` No process has the pid.
 * @throws `ERR_NEARFAR_BATCH` The call is inside a batch, which has no value to return yet.
 * @throws `ERR_NEARFAR_TASK_GONE` The current task has executed a program, exited or died.
 * @throws `TypeError` `pid` is not a number.
 * @throws `RangeError` `pid` is not an integer from 0 to 2147483647.
 * @example
 * ```ts
 * console.log(getsid());
 * ```
 * @see getsid(2), Linux 2.0; no privilege
 */
export function getsid(pid = 0): number {
	return native().getsid(checkPid(pid, "pid", 0));
}

/**
 * Moves a process into a process group of its session.
 *
 * @param pid - The process to move: a child that has not executed a program, or the current task by its pid or 0.
 * @param pgid - The group: its id, 0 for a new group with the pid of the process, or a child that is in the group.
 * For a child the function asks the kernel for the group first, which a batch cannot do: pass the id there.
 * @throws `EACCES` The child has executed a program already.
 * @throws `EPERM` The process is in another session, or leads one.
 * @throws `EPERM` The session has no such group.
 * @throws `ESRCH` The process is neither the current task nor a child of it.
 * @throws `ERR_NEARFAR_NAMESPACE_MISMATCH` The child's pid is not a number of the current task's pid namespace.
 * @throws `ERR_NEARFAR_CHILD_DEAD` The child has ended, and its pid may be another process's.
 * @throws `ERR_NEARFAR_TASK_GONE` The current task has executed a program, exited or died.
 * @throws `TypeError` An argument is neither a number nor a `ChildProcess`.
 * @throws `RangeError` A number is not an integer from 0 to 2147483647.
 * @example A task in a group of its own, before it executes anything
 * ```ts
 * await using task = await Task.clone();
 * task.run(() => setpgid(0, 0));
 * ```
 * @see setpgid(2); no privilege
 */
export function setpgid(pid: number | ChildProcess, pgid: number | ChildProcess): void {
	const process = pid instanceof ChildProcess ? visiblePid(pid) : member(pid, "pid");
	const group = pgid instanceof ChildProcess ? pgid.getpgid() : member(pgid, "pgid");
	native().setpgid(process, group);
}

/**
 * Makes the current task the leader of a new session and a new process group, without a terminal.
 *
 * Near, Node as a whole leaves its session and its terminal.
 *
 * @returns The id of the session, which is the pid of the task. In a batch `undefined`: the pid is not known there.
 * @throws `EPERM` The task leads a process group already, or a group has its pid as id.
 * @throws `ERR_NEARFAR_TASK_GONE` The current task has executed a program, exited or died.
 * @example
 * ```ts
 * await using task = await Task.clone();
 * console.log(task.run(setsid) === task.pid); // true
 * ```
 * @see setsid(2); no privilege
 */
export function setsid(): number | undefined {
	const pid = currentBatch() ? undefined : native().getpid();
	native().setsid();
	return pid;
}

function member(value: number, name: string): number {
	if (typeof value !== "number") throw wrongType(name, "a number or a ChildProcess", value);
	return checkPid(value, name, 0);
}
