import { boolean, native, prctlOptions } from "@nearfar/core/internal";

/**
 * Makes the current task, or Node, a child subreaper: orphaned descendants become its children instead of init's.
 *
 * A child subreaper has to wait for these children. Node does not: in this process they stay zombies until something
 * else waits for them. The attribute survives execve(2) and is not inherited by children.
 *
 * @param enable - `true` sets the attribute, `false` clears it.
 * @throws `ERR_NEARFAR_TASK_GONE` The current task has executed a program, exited or died.
 * @throws `TypeError` `enable` is not a boolean.
 * @example
 * ```ts
 * await using task = await Task.clone();
 * task.run(() => childSubreaper(true));
 * ```
 * @see PR_SET_CHILD_SUBREAPER(2const), Linux 3.4; no privilege
 */
export function setChildSubreaper(enable: boolean): void {
	native().setPrctl(prctlOptions.setChildSubreaper, [Number(boolean(enable, "enable"))]);
}

export { setChildSubreaper as childSubreaper };

/**
 * Returns whether the current task, or Node, is a child subreaper.
 *
 * @returns `true` if orphaned descendants become its children.
 * @throws `ERR_NEARFAR_BATCH` The call is inside a batch, which has no value to return yet.
 * @throws `ERR_NEARFAR_TASK_GONE` The current task has executed a program, exited or died.
 * @example
 * ```ts
 * console.log(getChildSubreaper()); // false
 * ```
 * @see PR_GET_CHILD_SUBREAPER(2const), Linux 3.4; no privilege
 */
export function getChildSubreaper(): boolean {
	const { out } = native().prctl(prctlOptions.getChildSubreaper, [new Uint8Array(4)]);
	return out.some((byte) => byte !== 0);
}
