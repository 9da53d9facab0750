import type { ProcessOption } from "@nearfar/core";
import { boolean, options as checkOptions, native, onEveryThread, prctlOptions } from "@nearfar/core/internal";

/**
 * Sets the flag "keep capabilities" of the current task.
 *
 * Without the flag a task loses its permitted capabilities when none of its user ids is 0 any more. The effective
 * capabilities are cleared in any case. execve(2) clears the flag.
 *
 * @param enable - `true` sets the flag, `false` clears it.
 * @param options - `process`: `true` lets the call change every thread of Node, or none, where it is made near. Default: `false`.
 * @throws `EPERM` The securebit `SECBIT_KEEP_CAPS_LOCKED` is set.
 * @throws `ERR_NEARFAR_MULTITHREADED` Called near without `process`, where only one thread of Node would have the flag.
 * @throws `ERR_NEARFAR_BATCH` The call is in a batch of this process, with `process`.
 * @throws `ERR_NEARFAR_IO_URING` With `process`: Node has an io_uring, which would keep its credentials.
 * @throws `ERR_NEARFAR_THREAD_SILENT` With `process`: a thread of Node did not answer.
 * @throws `ERR_NEARFAR_THREADS_DIFFER` With `process`: a thread of Node has other credentials than the calling thread.
 * @throws `ERR_NEARFAR_TASK_GONE` The current task has executed a program, exited or died.
 * @throws `TypeError` `enable` or `process` is not a boolean, or an option is unknown.
 * @example
 * ```ts
 * await using task = await Task.clone();
 * task.run(() => setKeepCaps(true));
 * ```
 * @see PR_SET_KEEPCAPS(2const), Linux 2.2.18; no privilege
 */
export function setKeepCaps(enable: boolean, options?: ProcessOption): void {
	const flag = Number(boolean(enable, "enable"));
	const checked = checkOptions(options, ["process"]);
	onEveryThread(checked, "prctl", () => native().setPrctl(prctlOptions.setKeepcaps, [flag]));
}

/**
 * Returns the flag "keep capabilities" of the current task, or, near, of the calling thread.
 *
 * @returns `true` if the permitted capabilities survive when none of the user ids is 0 any more.
 * @throws `ERR_NEARFAR_BATCH` The call is inside a batch, which has no value to return yet.
 * @throws `ERR_NEARFAR_TASK_GONE` The current task has executed a program, exited or died.
 * @example
 * ```ts
 * console.log(getKeepCaps()); // false
 * ```
 * @see PR_GET_KEEPCAPS(2const), Linux 2.2.18; no privilege
 */
export function getKeepCaps(): boolean {
	return native().prctl(prctlOptions.getKeepcaps, []).result === 1n;
}
