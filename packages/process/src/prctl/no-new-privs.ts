import type { ProcessOption } from "@nearfar/core";
import { options as checkOptions, native, onEveryThread } from "@nearfar/core/internal";

/**
 * Sets the attribute `no_new_privs` of the current task: execve(2) grants it no privilege any more.
 *
 * Set-user-id bits, set-group-id bits and file capabilities have no effect then. Children and programs of the task
 * inherit the attribute. No call clears the attribute again.
 *
 * @param options - `process`: `true` lets the call change every thread of Node, or none, where it is made near. Default: `false`.
 * @throws `ERR_NEARFAR_MULTITHREADED` Called near without `process`, where only one thread of Node would have the attribute.
 * @throws `ERR_NEARFAR_BATCH` The call is in a batch of this process, with `process`.
 * @throws `ERR_NEARFAR_IO_URING` With `process`: Node has an io_uring, which would keep its credentials.
 * @throws `ERR_NEARFAR_THREAD_SILENT` With `process`: a thread of Node did not answer.
 * @throws `ERR_NEARFAR_THREADS_DIFFER` With `process`: a thread of Node has other credentials than the calling thread.
 * @throws `ERR_NEARFAR_TASK_GONE` The current task has executed a program, exited or died.
 * @throws `TypeError` An option is unknown, or `process` is not a boolean.
 * @example Programs of a task gain no privilege
 * ```ts
 * await using task = await Task.clone();
 * task.run(() => {
 *   setNoNewPrivs();
 *   console.log(getNoNewPrivs()); // true
 * });
 * ```
 * @see PR_SET_NO_NEW_PRIVS(2const), Linux 3.5; no privilege
 */
export function setNoNewPrivs(options?: ProcessOption): void {
	const checked = checkOptions(options, ["process"]);
	onEveryThread(checked, "prctl", () => native().setNoNewPrivs());
}

/**
 * Returns the attribute `no_new_privs` of the current task, or, near, of the calling thread.
 *
 * @returns `true` if execve(2) grants no privilege any more.
 * @throws `ERR_NEARFAR_BATCH` The call is inside a batch, which has no value to return yet.
 * @throws `ERR_NEARFAR_TASK_GONE` The current task has executed a program, exited or died.
 * @example
 * ```ts
 * console.log(getNoNewPrivs()); // false, unless Node was started with it
 * ```
 * @see PR_GET_NO_NEW_PRIVS(2const), Linux 3.5; no privilege
 */
export function getNoNewPrivs(): boolean {
	return native().getNoNewPrivs();
}
