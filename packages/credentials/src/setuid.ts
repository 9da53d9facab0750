import type { ProcessOption } from "@nearfar/core";
import { options as checkOptions, id, native, onEveryThread } from "@nearfar/core/internal";
import { setresuid } from "./change.ts";
import { idOrUnchanged } from "./unchanged.ts";

/**
 * Sets the user id: with CAP_SETUID the real, effective and saved one, without the capability the effective one
 * alone.
 *
 * To give privileges up, prefer {@link setresuid}, which sets all three ids with or without the capability. The
 * groups stay as they are, and the task may not change them afterwards: {@link setgroups} and {@link setresgid} come
 * first.
 *
 * @param uid - 0 to 4294967294, as the user namespace of the current task counts.
 * @param options - `process`: `true` lets the call change every thread of Node, or none, where it is made near.
 * Default: `false`.
 * @throws `EPERM` The id is neither the real nor the saved one, and the task has no CAP_SETUID.
 * @throws `EINVAL` The user namespace does not map the id.
 * @throws `EAGAIN` The new real user id has reached its limit of processes (RLIMIT_NPROC).
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
 * task.run(() => setuid(1000));
 * ```
 * @see setuid(2); CAP_SETUID over the user namespace for ids other than the real and the saved one
 */
export function setuid(uid: number, options?: ProcessOption): void {
	const checked = id(uid, "uid");
	onEveryThread(checkOptions(options, ["process"]), "setuid", () => native().setuid(checked));
}

/**
 * Sets the effective user id alone. The saved id stays, and allows the way back.
 *
 * The function makes the call `setresuid(-1, euid, -1)`, as the C library does, and an error names setresuid.
 *
 * @param euid - 0 to 4294967294, as the user namespace of the current task counts.
 * @param options - `process`: `true` lets the call change every thread of Node, or none, where it is made near.
 * Default: `false`.
 * @throws `EPERM` The id is none of the three present ids, and the task has no CAP_SETUID.
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
 * task.run(() => {
 *   seteuid(1000);
 *   openat2("/etc/hostname").close(); // throws EACCES if user 1000 may not read the file
 *   seteuid(0);
 * });
 * ```
 * @see seteuid(2), Linux 2.1.44; CAP_SETUID over the user namespace for ids other than the present ones
 */
export function seteuid(euid: number, options?: ProcessOption): void {
	setresuid(-1, id(euid, "euid"), -1, options);
}

/**
 * Sets the real and the effective user id.
 *
 * The saved id becomes the new effective one if `real` is given, or if `effective` differs from the former real id.
 *
 * @param real - 0 to 4294967294, as the user namespace of the current task counts; -1 leaves the id as it is.
 * @param effective - The same range; -1 leaves the id as it is.
 * @param options - `process`: `true` lets the call change every thread of Node, or none, where it is made near.
 * Default: `false`.
 * @throws `EPERM` `real` is neither the present real nor the effective id, and the task has no CAP_SETUID.
 * @throws `EPERM` `effective` is none of the three present ids, and the task has no CAP_SETUID.
 * @throws `EINVAL` The user namespace does not map the id.
 * @throws `EAGAIN` The new real user id has reached its limit of processes (RLIMIT_NPROC).
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
 * task.run(() => setreuid(-1, getuid()));
 * ```
 * @see setreuid(2); CAP_SETUID over the user namespace for ids other than the present ones
 */
export function setreuid(real: number, effective: number, options?: ProcessOption): void {
	const ids = [idOrUnchanged(real, "real"), idOrUnchanged(effective, "effective")] as const;
	onEveryThread(checkOptions(options, ["process"]), "setreuid", () => native().setreuid(...ids));
}

/**
 * Sets the user id that file accesses are checked with.
 *
 * The kernel does not report whether the id has changed. So the function reads the id back, in the same message, and throws if
 * the kernel has left it as it was. The id follows the effective user id whenever that one changes. If the id leaves 0, CAP_CHOWN, CAP_DAC_OVERRIDE and the other
 * capabilities over files leave the effective set; if the id becomes 0, they come back.
 *
 * 65534 stands for every id that the user namespace does not map. Where it maps neither 65534 nor the present id, a change to 65534
 * looks as if it had been made.
 *
 * @param uid - 0 to 4294967294, as the user namespace of the current task counts; -1 leaves the id as it is.
 * @param options - `process`: `true` lets the call change every thread of Node, or none, where it is made near.
 * Default: `false`.
 * @returns The former id.
 * @throws `EPERM` The id is none of the four present ids, and the task has no CAP_SETUID.
 * @throws `EINVAL` The task has CAP_SETUID, and the user namespace does not map the id.
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
 * console.log(task.run(() => setfsuid(-1)) === process.geteuid?.()); // true
 * ```
 * @see setfsuid(2), Linux 1.2; CAP_SETUID over the user namespace for ids other than the present ones
 */
export function setfsuid(uid: number, options?: ProcessOption): number {
	const checked = idOrUnchanged(uid, "uid");
	return onEveryThread(checkOptions(options, ["process"]), "setfsuid", () => native().setfsuid(checked));
}
