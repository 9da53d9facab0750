import { id, native } from "@nearfar/core/internal";
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
 * @throws `EPERM` The id is neither the real nor the saved one, and the task has no CAP_SETUID.
 * @throws `EINVAL` The user namespace does not map the id.
 * @throws `EAGAIN` The new real user id has reached its limit of processes (RLIMIT_NPROC).
 * @throws `ERR_NEARFAR_MULTITHREADED` The call is made in Node: the kernel would change one thread of many.
 * @throws `ERR_NEARFAR_TASK_GONE` The current task has executed a program, exited or died.
 * @throws `TypeError` An argument is not a number.
 * @throws `RangeError` An argument is not an integer of the range above.
 * @example
 * ```ts
 * await using task = await Task.clone(); // as root
 * task.run(() => setuid(1000));
 * ```
 * @see setuid(2); CAP_SETUID over the user namespace for ids other than the real and the saved one
 */
export function setuid(uid: number): void {
	native().setuid(id(uid, "uid"));
}

/**
 * Sets the effective user id alone. The saved id stays, and allows the way back.
 *
 * The function makes the call `setresuid(-1, euid, -1)`, as the C library does, and an error names setresuid.
 *
 * @param euid - 0 to 4294967294, as the user namespace of the current task counts.
 * @throws `EPERM` The id is none of the three present ids, and the task has no CAP_SETUID.
 * @throws `EINVAL` The user namespace does not map the id.
 * @throws `ERR_NEARFAR_MULTITHREADED` The call is made in Node: the kernel would change one thread of many.
 * @throws `ERR_NEARFAR_TASK_GONE` The current task has executed a program, exited or died.
 * @throws `TypeError` An argument is not a number.
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
export function seteuid(euid: number): void {
	setresuid(-1, id(euid, "euid"), -1);
}

/**
 * Sets the real and the effective user id.
 *
 * The saved id becomes the new effective one if `real` is given, or if `effective` differs from the former real id.
 *
 * @param real - 0 to 4294967294, as the user namespace of the current task counts; -1 leaves the id as it is.
 * @param effective - The same range; -1 leaves the id as it is.
 * @throws `EPERM` `real` is neither the present real nor the effective id, and the task has no CAP_SETUID.
 * @throws `EPERM` `effective` is none of the three present ids, and the task has no CAP_SETUID.
 * @throws `EINVAL` The user namespace does not map the id.
 * @throws `EAGAIN` The new real user id has reached its limit of processes (RLIMIT_NPROC).
 * @throws `ERR_NEARFAR_MULTITHREADED` The call is made in Node: the kernel would change one thread of many.
 * @throws `ERR_NEARFAR_TASK_GONE` The current task has executed a program, exited or died.
 * @throws `TypeError` An argument is not a number.
 * @throws `RangeError` An argument is not an integer of the range above.
 * @example
 * ```ts
 * await using task = await Task.clone();
 * task.run(() => setreuid(-1, getuid()));
 * ```
 * @see setreuid(2); CAP_SETUID over the user namespace for ids other than the present ones
 */
export function setreuid(real: number, effective: number): void {
	native().setreuid(idOrUnchanged(real, "real"), idOrUnchanged(effective, "effective"));
}

/**
 * Sets the user id that file accesses are checked with.
 *
 * The kernel does not report whether the id has changed: call the function again with -1 to read it. The id follows
 * the effective user id whenever that one changes. If the id leaves 0, CAP_CHOWN, CAP_DAC_OVERRIDE and the other
 * capabilities over files leave the effective set; if the id becomes 0, they come back.
 *
 * @param uid - 0 to 4294967294, as the user namespace of the current task counts; -1 leaves the id as it is.
 * @returns The former id, whether or not it was changed.
 * @throws `ERR_NEARFAR_MULTITHREADED` The call is made in Node: the kernel would change one thread of many.
 * @throws `ERR_NEARFAR_BATCH` The call is inside a batch, which has no value to return yet.
 * @throws `ERR_NEARFAR_TASK_GONE` The current task has executed a program, exited or died.
 * @throws `TypeError` An argument is not a number.
 * @throws `RangeError` An argument is not an integer of the range above.
 * @example
 * ```ts
 * await using task = await Task.clone();
 * console.log(task.run(() => setfsuid(-1)) === process.geteuid?.()); // true
 * ```
 * @see setfsuid(2), Linux 1.2; CAP_SETUID over the user namespace for ids other than the present ones
 */
export function setfsuid(uid: number): number {
	return native().setfsuid(idOrUnchanged(uid, "uid"));
}
