import { native } from "@nearfar/core/internal";

/**
 * Returns the pid, in the current task's own pid namespace: in a task that is in a new one, 1.
 *
 * @throws `BatchError` in a batch · `TaskGoneError`
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
 * @returns 0 where the parent is in another pid namespace.
 * @throws `BatchError` in a batch · `TaskGoneError`
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
 * Returns the id of the calling thread; in a task, which has one only, the pid.
 *
 * @throws `BatchError` in a batch · `TaskGoneError`
 * @example
 * ```ts
 * console.log(gettid() === process.pid); // true in Node's main thread, false in a Worker
 * ```
 * @see gettid(2); no privilege
 */
export function gettid(): number {
	return native().gettid();
}
