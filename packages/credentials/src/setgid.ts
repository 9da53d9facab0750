import type { ProcessOption } from "@nearfar/core";
import { options as checkOptions, id, native, onEveryThread } from "@nearfar/core/internal";
import { setresgid } from "./change.ts";
import { idOrUnchanged } from "./unchanged.ts";

/**
 * Sets the group id: with CAP_SETGID the real, effective and saved one, without the capability the effective one
 * alone.
 *
 * The supplementary groups stay as they are; {@link setgroups} sets them. Change both before the user id changes.
 *
 * @param gid - 0 to 4294967294, as the user namespace of the current task counts.
 * @param options - `process`: `true` lets the call change every thread of Node, or none, where it is made near.
 * Default: `false`.
 * @throws `EPERM` The id is neither the real nor the saved one, and the task has no CAP_SETGID.
 * @throws `EINVAL` The user namespace does not map the id.
 * @throws `ERR_NEARFAR_MULTITHREADED` The call is made in Node without `process`: the kernel would change one thread of
 * many.
 * @throws `ERR_NEARFAR_IO_URING` With `process`: Node has an io_uring, which would keep its credentials.
 * @throws `ERR_NEARFAR_THREAD_SILENT` With `process`: a thread of Node did not answer.
 * @throws `ERR_NEARFAR_THREADS_DIFFER` With `process`: a thread of Node has other credentials than the calling thread.
 * @throws `ERR_NEARFAR_BATCH` The call is in a batch of this process, with `process`.
 * @throws `ERR_NEARFAR_TASK_GONE` The current task has executed a program, exited or died.
 * @throws `TypeError` An argument is not a number.
 * @throws `TypeError` An option is unknown, or `process` is not a boolean.
 * @throws `RangeError` An argument is not an integer of the range above.
 * @example
 * ```ts
 * await using task = await Task.clone(); // as root
 * task.run(() => setgid(1000));
 * ```
 * @see setgid(2); CAP_SETGID over the user namespace for ids other than the real and the saved one
 */
export function setgid(gid: number, options?: ProcessOption): void {
	const checked = id(gid, "gid");
	onEveryThread(checkOptions(options, ["process"]), "setgid", () => native().setgid(checked));
}

/**
 * Sets the effective group id alone. The saved id stays, and allows the way back.
 *
 * The function makes the call `setresgid(-1, egid, -1)`, as the C library does, and an error names setresgid.
 *
 * @param egid - 0 to 4294967294, as the user namespace of the current task counts.
 * @param options - `process`: `true` lets the call change every thread of Node, or none, where it is made near.
 * Default: `false`.
 * @throws `EPERM` The id is none of the three present ids, and the task has no CAP_SETGID.
 * @throws `EINVAL` The user namespace does not map the id.
 * @throws `ERR_NEARFAR_MULTITHREADED` The call is made in Node without `process`: the kernel would change one thread of
 * many.
 * @throws `ERR_NEARFAR_IO_URING` With `process`: Node has an io_uring, which would keep its credentials.
 * @throws `ERR_NEARFAR_THREAD_SILENT` With `process`: a thread of Node did not answer.
 * @throws `ERR_NEARFAR_THREADS_DIFFER` With `process`: a thread of Node has other credentials than the calling thread.
 * @throws `ERR_NEARFAR_BATCH` The call is in a batch of this process, with `process`.
 * @throws `ERR_NEARFAR_TASK_GONE` The current task has executed a program, exited or died.
 * @throws `TypeError` An argument is not a number.
 * @throws `TypeError` An option is unknown, or `process` is not a boolean.
 * @throws `RangeError` An argument is not an integer of the range above.
 * @example
 * ```ts
 * await using task = await Task.clone();
 * task.run(() => setegid(getgid()));
 * ```
 * @see setegid(2); CAP_SETGID over the user namespace for ids other than the present ones
 */
export function setegid(egid: number, options?: ProcessOption): void {
	setresgid(-1, id(egid, "egid"), -1, options);
}

/**
 * Sets the real and the effective group id.
 *
 * The saved id becomes the new effective one if `real` is given, or if `effective` differs from the former real id.
 *
 * @param real - 0 to 4294967294, as the user namespace of the current task counts; -1 leaves the id as it is.
 * @param effective - The same range; -1 leaves the id as it is.
 * @param options - `process`: `true` lets the call change every thread of Node, or none, where it is made near.
 * Default: `false`.
 * @throws `EPERM` `real` is neither the present real nor the effective id, and the task has no CAP_SETGID.
 * @throws `EPERM` `effective` is none of the three present ids, and the task has no CAP_SETGID.
 * @throws `EINVAL` The user namespace does not map the id.
 * @throws `ERR_NEARFAR_MULTITHREADED` The call is made in Node without `process`: the kernel would change one thread of
 * many.
 * @throws `ERR_NEARFAR_IO_URING` With `process`: Node has an io_uring, which would keep its credentials.
 * @throws `ERR_NEARFAR_THREAD_SILENT` With `process`: a thread of Node did not answer.
 * @throws `ERR_NEARFAR_THREADS_DIFFER` With `process`: a thread of Node has other credentials than the calling thread.
 * @throws `ERR_NEARFAR_BATCH` The call is in a batch of this process, with `process`.
 * @throws `ERR_NEARFAR_TASK_GONE` The current task has executed a program, exited or died.
 * @throws `TypeError` An argument is not a number.
 * @throws `TypeError` An option is unknown, or `process` is not a boolean.
 * @throws `RangeError` An argument is not an integer of the range above.
 * @example
 * ```ts
 * await using task = await Task.clone();
 * task.run(() => setregid(-1, getgid()));
 * ```
 * @see setregid(2); CAP_SETGID over the user namespace for ids other than the present ones
 */
export function setregid(real: number, effective: number, options?: ProcessOption): void {
	const ids = [idOrUnchanged(real, "real"), idOrUnchanged(effective, "effective")] as const;
	onEveryThread(checkOptions(options, ["process"]), "setregid", () => native().setregid(...ids));
}

/**
 * Sets the group id that file accesses are checked with.
 *
 * The kernel does not report whether the id has changed. So the function reads the id back, in the same message, and throws if
 * the kernel has left it as it was. The id follows the effective group id whenever that one changes.
 *
 * 65534 stands for every id that the user namespace does not map. Where it maps neither 65534 nor the present id, a change to 65534
 * looks as if it had been made.
 *
 * @param gid - 0 to 4294967294, as the user namespace of the current task counts; -1 leaves the id as it is.
 * @param options - `process`: `true` lets the call change every thread of Node, or none, where it is made near.
 * Default: `false`.
 * @returns The former id.
 * @throws `EPERM` The id is none of the four present ids, and the task has no CAP_SETGID.
 * @throws `EINVAL` The task has CAP_SETGID, and the user namespace does not map the id.
 * @throws `ERR_NEARFAR_MULTITHREADED` The call is made in Node without `process`: the kernel would change one thread of
 * many.
 * @throws `ERR_NEARFAR_IO_URING` With `process`: Node has an io_uring, which would keep its credentials.
 * @throws `ERR_NEARFAR_THREAD_SILENT` With `process`: a thread of Node did not answer.
 * @throws `ERR_NEARFAR_THREADS_DIFFER` With `process`: a thread of Node has other credentials than the calling thread.
 * @throws `ERR_NEARFAR_BATCH` The call is inside a batch, which has no value to return yet.
 * @throws `ERR_NEARFAR_TASK_GONE` The current task has executed a program, exited or died.
 * @throws `TypeError` An argument is not a number.
 * @throws `TypeError` An option is unknown, or `process` is not a boolean.
 * @throws `RangeError` An argument is not an integer of the range above.
 * @example
 * ```ts
 * await using task = await Task.clone();
 * console.log(task.run(() => setfsgid(-1)) === process.getegid?.()); // true
 * ```
 * @see setfsgid(2), Linux 1.2; CAP_SETGID over the user namespace for ids other than the present ones
 */
export function setfsgid(gid: number, options?: ProcessOption): number {
	const checked = idOrUnchanged(gid, "gid");
	return onEveryThread(checkOptions(options, ["process"]), "setfsgid", () => native().setfsgid(checked));
}
