import { boolean, native, prctlOptions } from "@nearfar/core/internal";

/**
 * Chooses whether the current task, or Node, leaves a core dump, and whether its user may trace it and owns its files in
 * `/proc`.
 *
 * The kernel takes it away when ids change, and sets it again at exec of a program that gains nothing.
 *
 * @param enable - Whether.
 * @throws `TaskGoneError`
 * @example A task that nobody but root looks into
 * ```ts
 * await using task = await Task.clone();
 * task.run(() => setDumpable(false));
 * ```
 * @see PR_SET_DUMPABLE(2const), Linux 2.3.20; no privilege
 */
export function setDumpable(enable: boolean): void {
	native().setPrctl(prctlOptions.setDumpable, [Number(boolean(enable, "enable"))]);
}

/**
 * Tells whether the current task, or Node, leaves a core dump and may be traced by its user.
 *
 * @returns `false` also where it would leave a dump that only root reads (2, see the sysctl `fs.suid_dumpable`).
 * @throws `BatchError` in a batch · `TaskGoneError`
 * @example
 * ```ts
 * console.log(getDumpable()); // true
 * ```
 * @see PR_GET_DUMPABLE(2const), Linux 2.3.20; no privilege
 */
export function getDumpable(): boolean {
	return native().prctl(prctlOptions.getDumpable, []).result === 1n;
}
