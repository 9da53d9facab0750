import { boolean, native, prctlOptions } from "@nearfar/core/internal";

/**
 * Makes the current task, or Node, the process that orphaned descendants become children of, instead of init.
 *
 * It is then the one that has to wait for them: in this process libuv does not, and they stay zombies until somebody
 * else does. It lasts over exec, and is not inherited by children.
 *
 * @param enable - Whether.
 * @throws `TaskGoneError`
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
 * Tells whether orphaned descendants of the current task, or of Node, become its children.
 *
 * @throws `BatchError` in a batch · `TaskGoneError`
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
