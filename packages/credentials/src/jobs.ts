import { ChildProcess } from "@nearfar/core";
import { pid as checkPid, native, wrongType } from "@nearfar/core/internal";

/**
 * Returns the process group of a process.
 *
 * @param pid - 1 or more, or 0 (default): the current task.
 * @returns Its id; 0 where the group's leader is not visible from the pid namespace.
 * @throws `ESRCH` nobody has the pid · `BatchError` in a batch · `TaskGoneError`
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
 * @returns Its id; 0 where the group's leader is not visible from the pid namespace.
 * @throws `BatchError` in a batch · `TaskGoneError`
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
 * @param pid - 1 or more, or 0 (default): the current task.
 * @returns Its id; 0 where the session's leader is not visible from the pid namespace.
 * @throws `ESRCH` nobody has the pid · `BatchError` in a batch · `TaskGoneError`
 * @example
 * ```ts
 * console.log(getsid());
 * ```
 * @see getsid(2); no privilege
 */
export function getsid(pid = 0): number {
	return native().getsid(checkPid(pid, "pid", 0));
}

/**
 * Moves a process into a process group of its session.
 *
 * @param pid - The process: a child that has not exec'd, or the current task (its pid, or 0).
 * @param pgid - The group: the id of one, 0 for one of the process's own, or a child whose group it shall be. For a
 * child the group is asked for first, which a batch cannot do: there its pid has to be given.
 * @throws `EACCES` the child has exec'd · `EPERM` another session, a session leader, or no such group · `ESRCH` not a
 * child · `NamespaceMismatchError` a child whose pid is not one of the current task's pid namespace ·
 * `ChildDeadError` · `TaskGoneError`
 * @example A task in a group of its own, before it executes anything
 * ```ts
 * await using task = await Task.clone();
 * task.run(() => setpgid(0, 0));
 * ```
 * @see setpgid(2); no privilege
 */
export function setpgid(pid: number | ChildProcess, pgid: number | ChildProcess): void {
	const process = pid instanceof ChildProcess ? pid.visiblePid() : member(pid, "pid");
	const group = pgid instanceof ChildProcess ? pgid.getpgid() : member(pgid, "pgid");
	native().setpgid(process, group);
}

/**
 * Makes the current task the leader of a new session and a new process group, without a terminal.
 *
 * In this process it is Node as a whole that leaves its session and its terminal.
 *
 * @returns The id of the session: the pid.
 * @throws `EPERM` it leads a process group already, or there is a group with its pid · `BatchError` in a batch ·
 * `TaskGoneError`
 * @example
 * ```ts
 * await using task = await Task.clone();
 * console.log(task.run(setsid) === task.pid); // true
 * ```
 * @see setsid(2); no privilege
 */
export function setsid(): number {
	const pid = native().getpid(); // a batch refuses here, before anything has been collected
	native().setsid();
	return pid;
}

function member(value: number, name: string): number {
	if (typeof value !== "number") throw wrongType(name, "a number or a ChildProcess", value);
	return checkPid(value, name, 0);
}
