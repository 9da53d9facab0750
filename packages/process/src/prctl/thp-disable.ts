import { boolean, native, prctlOptions } from "@nearfar/core/internal";

/**
 * Chooses whether the memory of the current task, or of Node, is never made of transparent huge pages. Children and
 * programs have the same.
 *
 * @param disable - Whether.
 * @throws `TaskGoneError`
 * @example
 * ```ts
 * await using task = await Task.clone();
 * task.run(() => setThpDisable(true));
 * ```
 * @see PR_SET_THP_DISABLE(2const), Linux 3.15; no privilege
 */
export function setThpDisable(disable: boolean): void {
	native().setPrctl(prctlOptions.setThpDisable, [Number(boolean(disable, "disable"))]);
}

/**
 * Tells whether transparent huge pages are off for the current task, or for Node.
 *
 * @throws `BatchError` in a batch · `TaskGoneError`
 * @example
 * ```ts
 * console.log(getThpDisable()); // false
 * ```
 * @see PR_GET_THP_DISABLE(2const), Linux 3.15; no privilege
 */
export function getThpDisable(): boolean {
	return native().prctl(prctlOptions.getThpDisable, []).result !== 0n;
}
