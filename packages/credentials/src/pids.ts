import { native } from "@nearfar/core/internal";

/**
 * Returns the pid of the current task, as its own pid namespace counts: 1 for a task that is the first of a new one.
 *
 * @returns 1 or more.
 * @throws `ERR_NEARFAR_BATCH` The call is inside a batch, which has no value to return yet.
 * @throws `ERR_NEARFAR_TASK_GONE` The current task has executed a program, exited or died.
 * @example
 * ```ts
 * await using task = await Task.clone({ namespaces: ["user", "pid"] });
 * console.log(task.run(getpid), task.pid); // 1, and its number out here
 * ```
 * @see getpid(2); no privilege
 */
export function getpid(): number {
	return native().getpid();
}

/**
 * Returns the pid of the parent.
 *
 * @returns 1 or more; 0 where the parent is in another pid namespace.
 * @throws `ERR_NEARFAR_BATCH` The call is inside a batch, which has no value to return yet.
 * @throws `ERR_NEARFAR_TASK_GONE` The current task has executed a program, exited or died.
 * @example
 * ```ts
 * await using task = await Task.clone();
 * console.log(task.run(getppid) === process.pid); // true
 * ```
 * @see getppid(2); no privilege
 */
export function getppid(): number {
	return native().getppid();
}

/**
 * Returns the id of the calling thread. A task has one thread, whose id is its pid.
 *
 * @returns 1 or more.
 * @throws `ERR_NEARFAR_BATCH` The call is inside a batch, which has no value to return yet.
 * @throws `ERR_NEARFAR_TASK_GONE` The current task has executed a program, exited or died.
 * @example
 * ```ts
 * console.log(gettid() === process.pid); // true in Node's main thread, false in a Worker
 * ```
 * @see gettid(2), Linux 2.4.11; no privilege
 */
export function gettid(): number {
	return native().gettid();
}
