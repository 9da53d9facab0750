import { integer, native, prctlOptions } from "@nearfar/core/internal";

/**
 * Chooses how much later than asked for the timers of the task may fire, so that the kernel can wake for several at
 * once. Children and programs of the task have the same.
 *
 * @param nanoseconds - 1 or more; 0: what the task began with. It has no effect under a real-time policy.
 * @throws `MultithreadedError` in this process: one thread of Node would have it and the others not · `TaskGoneError`
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
 * Returns how much later than asked for timers may fire.
 *
 * @returns Nanoseconds. In this process: of the thread that asks.
 * @throws `BatchError` in a batch · `TaskGoneError`
 * @example
 * ```ts
 * console.log(getTimerSlack()); // 50000, unless somebody has changed it
 * ```
 * @see PR_GET_TIMERSLACK(2const), Linux 2.6.28; no privilege
 */
export function getTimerSlack(): number {
	return Number(native().prctl(prctlOptions.getTimerslack, []).result);
}
