import { native } from "@nearfar/core/internal";

/**
 * Gives up, for the task and all that it will start, what execve(2) would grant: set-user-id and set-group-id bits and
 * file capabilities have no effect any more. It cannot be undone.
 *
 * @throws `MultithreadedError` in this process: one thread of Node would have it and the others not · `TaskGoneError`
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
 * Tells whether execve(2) can no longer grant privileges.
 *
 * @returns In this process: of the thread that asks.
 * @throws `BatchError` in a batch · `TaskGoneError`
 * @example
 * ```ts
 * console.log(getNoNewPrivs()); // false, unless Node was started with it
 * ```
 * @see PR_GET_NO_NEW_PRIVS(2const), Linux 3.5; no privilege
 */
export function getNoNewPrivs(): boolean {
	return native().getNoNewPrivs();
}
