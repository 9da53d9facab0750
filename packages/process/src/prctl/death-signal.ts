import type { Signal } from "@nearfar/core";
import { native, signalName, signalNumber } from "@nearfar/core/internal";

/**
 * Chooses the signal that the task gets when its parent dies.
 *
 * A task begins with `"SIGKILL"`, a task cloned by a task with none. `task.exec()` sets its own option `deathSignal`
 * instead. The kernel forgets it when a program with set-user-id bits or file capabilities is executed, and when the
 * task's own ids change; and where the parent was dead before, it never comes.
 *
 * @param signal - `null`: none.
 * @throws `MultithreadedError` in this process: one thread of Node would have it and the others not · `TaskGoneError`
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
 * Tells which signal comes when the parent dies.
 *
 * @returns `null`: none. In this process: of the thread that asks.
 * @throws `BatchError` in a batch · `TaskGoneError`
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
