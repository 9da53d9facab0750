import { native } from "@nearfar/core/internal";

/**
 * Sets the attribute `no_new_privs` of the current task: execve(2) grants it no privilege any more.
 *
 * Set-user-id bits, set-group-id bits and file capabilities have no effect then. Children and programs of the task
 * inherit the attribute. No call clears the attribute again.
 *
 * @throws `ERR_NEARFAR_MULTITHREADED` Called near, where only one thread of Node would have the attribute.
 * @throws `ERR_NEARFAR_TASK_GONE` The current task has executed a program, exited or died.
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
export function setNoNewPrivs(): void {
	native().setNoNewPrivs();
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
