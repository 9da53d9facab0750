import { boolean, native, prctlOptions } from "@nearfar/core/internal";

/**
 * Chooses whether the permitted capabilities of the task survive when none of its user ids is 0 any more. Effective they
 * have to be made again, and exec forgets the choice.
 *
 * @param enable - Whether.
 * @throws `EPERM` a securebit locks it · `MultithreadedError` in this process: one thread of Node would have it and the
 * others not · `TaskGoneError`
 * @example
 * ```ts
 * await using task = await Task.clone();
 * task.run(() => setKeepCaps(true));
 * ```
 * @see PR_SET_KEEPCAPS(2const), Linux 2.2.18; no privilege
 */
export function setKeepCaps(enable: boolean): void {
	native().setPrctl(prctlOptions.setKeepcaps, [Number(boolean(enable, "enable"))]);
}

/**
 * Tells whether permitted capabilities survive leaving user 0.
 *
 * @returns In this process: of the thread that asks.
 * @throws `BatchError` in a batch · `TaskGoneError`
 * @example
 * ```ts
 * console.log(getKeepCaps()); // false
 * ```
 * @see PR_GET_KEEPCAPS(2const), Linux 2.2.18; no privilege
 */
export function getKeepCaps(): boolean {
	return native().prctl(prctlOptions.getKeepcaps, []).result === 1n;
}
