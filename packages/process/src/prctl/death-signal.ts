import type { Signal } from "@nearfar/core";
import { native, signalName, signalNumber } from "@nearfar/core/internal";

/**
 * Sets the parent-death signal of the current task: the signal that the task gets when its parent ends.
 *
 * A task of Node begins with `"SIGKILL"`, a task that was cloned by a task with none. `task.exec()` replaces the signal
 * by its own option `deathSignal`. The kernel clears it when the task changes its user or group ids, and when the task
 * executes a program with set-user-id bits, set-group-id bits or file capabilities. If the parent has ended before this
 * call, the signal never comes.
 *
 * @param signal - A name, or a number from 0 to 64. `null` or 0: no signal.
 * @throws `ERR_NEARFAR_MULTITHREADED` Called near, where only one thread of Node would have the signal.
 * @throws `ERR_NEARFAR_TASK_GONE` The current task has executed a program, exited or died.
 * @throws `TypeError` `signal` is neither `null` nor the name or number of a signal.
 * @throws `RangeError` The number is not from 0 to 64.
 * @example
 * ```ts
 * await using task = await Task.clone();
 * task.run(() => setDeathSignal("SIGTERM"));
 * ```
 * @see PR_SET_PDEATHSIG(2const), Linux 2.1.57; no privilege
 */
export function setDeathSignal(signal: Signal | null): void {
	native().setDeathSignal(signal === null ? 0 : signalNumber(signal));
}

/**
 * Returns the parent-death signal of the current task, or, near, of the calling thread.
 *
 * @returns The signal that comes when the parent ends. `null`: none.
 * @throws `ERR_NEARFAR_BATCH` The call is inside a batch, which has no value to return yet.
 * @throws `ERR_NEARFAR_TASK_GONE` The current task has executed a program, exited or died.
 * @example
 * ```ts
 * await using task = await Task.clone();
 * console.log(task.run(getDeathSignal)); // SIGKILL
 * ```
 * @see PR_GET_PDEATHSIG(2const), Linux 2.3.15; no privilege
 */
export function getDeathSignal(): Signal | null {
	const number = native().getDeathSignal();
	return number === 0 ? null : signalName(number);
}
