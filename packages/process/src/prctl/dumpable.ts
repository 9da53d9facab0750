import { boolean, native, prctlOptions } from "@nearfar/core/internal";

/**
 * Sets whether the current task, or Node, is dumpable.
 *
 * A dumpable process leaves a core dump, its user may trace it, and its user owns its files in `/proc`. The kernel
 * clears the attribute when the process changes its ids, and sets it again when the process executes a program that
 * gains no privilege. A task is not dumpable from its first call on. Root of a user namespace that the task is in or enters
 * may take all descriptors of a dumpable task.
 *
 * @param enable - `true` sets the attribute, `false` clears it.
 * @throws `ERR_NEARFAR_TASK_GONE` The current task has executed a program, exited or died.
 * @throws `TypeError` `enable` is not a boolean.
 * @example A task that its user can look into
 * ```ts
 * await using task = await Task.clone();
 * task.run(() => setDumpable(true));
 * ```
 * @see PR_SET_DUMPABLE(2const), Linux 2.3.20; no privilege
 */
export function setDumpable(enable: boolean): void {
	native().setPrctl(prctlOptions.setDumpable, [Number(boolean(enable, "enable"))]);
}

/**
 * Returns whether the current task, or Node, is dumpable.
 *
 * @returns `true` if the process leaves a core dump and its user may trace it. `false` also for the kernel's value 2,
 * with which only root can read the core dump (see the sysctl `fs.suid_dumpable`).
 * @throws `ERR_NEARFAR_BATCH` The call is inside a batch, which has no value to return yet.
 * @throws `ERR_NEARFAR_TASK_GONE` The current task has executed a program, exited or died.
 * @example
 * ```ts
 * console.log(getDumpable()); // true
 * ```
 * @see PR_GET_DUMPABLE(2const), Linux 2.3.20; no privilege
 */
export function getDumpable(): boolean {
	return native().prctl(prctlOptions.getDumpable, []).result === 1n;
}
