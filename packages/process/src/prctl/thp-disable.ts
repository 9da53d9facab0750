import { boolean, native, prctlOptions } from "@nearfar/core/internal";

/**
 * Sets whether transparent huge pages are disabled for the memory of the current task, or of Node.
 *
 * Children and programs inherit the setting.
 *
 * @param disable - `true`: the kernel uses no transparent huge pages for the process.
 * @throws `ERR_NEARFAR_TASK_GONE` The current task has executed a program, exited or died.
 * @throws `TypeError` `disable` is not a boolean.
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
 * Returns whether transparent huge pages are disabled for the current task, or for Node.
 *
 * @returns `true` if the kernel uses no transparent huge pages for the process.
 * @throws `ERR_NEARFAR_BATCH` The call is inside a batch, which has no value to return yet.
 * @throws `ERR_NEARFAR_TASK_GONE` The current task has executed a program, exited or died.
 * @example
 * ```ts
 * console.log(getThpDisable()); // false
 * ```
 * @see PR_GET_THP_DISABLE(2const), Linux 3.15; no privilege
 */
export function getThpDisable(): boolean {
	return native().prctl(prctlOptions.getThpDisable, []).result !== 0n;
}
