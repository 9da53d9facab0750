import { integer, native, prctlOptions } from "@nearfar/core/internal";

/**
 * Sets the timer slack of the current task: how much later than asked for its timers may fire.
 *
 * The kernel groups timers within the slack, and so wakes the CPU less often. Children and programs of the task inherit
 * the slack. Under a real-time scheduling policy the slack has no effect.
 *
 * @param nanoseconds - 1 to 2^53-1. 0: the slack that the task began with.
 * @throws `ERR_NEARFAR_MULTITHREADED` Called near, where only one thread of Node would have the slack.
 * @throws `ERR_NEARFAR_TASK_GONE` The current task has executed a program, exited or died.
 * @throws `TypeError` `nanoseconds` is not a number.
 * @throws `RangeError` `nanoseconds` is not an integer from 0 to 2^53-1.
 * @example A background task that lets the machine sleep
 * ```ts
 * await using task = await Task.clone();
 * task.run(() => setTimerSlack(100_000_000)); // 0.1 s
 * ```
 * @see PR_SET_TIMERSLACK(2const), Linux 2.6.28; no privilege
 */
export function setTimerSlack(nanoseconds: number): void {
	native().setPrctl(prctlOptions.setTimerslack, [integer(nanoseconds, "nanoseconds", 0, Number.MAX_SAFE_INTEGER)]);
}

/**
 * Returns the timer slack of the current task, or, near, of the calling thread.
 *
 * @returns Nanoseconds by which timers may fire later than asked for.
 * @throws `ERR_NEARFAR_BATCH` The call is inside a batch, which has no value to return yet.
 * @throws `ERR_NEARFAR_TASK_GONE` The current task has executed a program, exited or died.
 * @example
 * ```ts
 * console.log(getTimerSlack()); // 50000, the kernel's default
 * ```
 * @see PR_GET_TIMERSLACK(2const), Linux 2.6.28; no privilege
 */
export function getTimerSlack(): number {
	return Number(native().prctl(prctlOptions.getTimerslack, []).result);
}
