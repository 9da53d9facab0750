import { id, native } from "@nearfar/core/internal";
import { setresgid } from "./change.ts";
import { idOrUnchanged } from "./unchanged.ts";

/**
 * Sets the group id: with CAP_SETGID the real, effective and saved one, without the capability the effective one
 * alone.
 *
 * The supplementary groups stay as they are; {@link setgroups} sets them. Change both before the user id changes.
 *
 * @param gid - 0 to 4294967294, as the user namespace of the current task counts.
 * @throws `EPERM` The id is neither the real nor the saved one, and the task has no CAP_SETGID.
 * @throws `EINVAL` The user namespace does not map the id.
 * @throws `ERR_NEARFAR_MULTITHREADED` The call is made in Node: the kernel would change one thread of many.
 * @throws `ERR_NEARFAR_TASK_GONE` The current task has executed a program, exited or died.
 * @throws `TypeError` An argument is not a number.
 * @throws `RangeError` An argument is not an integer of the range above.
 * @example
 * ```ts
 * await using task = await Task.clone(); // as root
 * task.run(() => setgid(1000));
 * ```
 * @see setgid(2); CAP_SETGID over the user namespace for ids other than the real and the saved one
 */
export function setgid(gid: number): void {
	native().setgid(id(gid, "gid"));
}

/**
 * Sets the effective group id alone. The saved id stays, and allows the way back.
 *
 * The function makes the call `setresgid(-1, egid, -1)`, as the C library does, and an error names setresgid.
 *
 * @param egid - 0 to 4294967294, as the user namespace of the current task counts.
 * @throws `EPERM` The id is none of the three present ids, and the task has no CAP_SETGID.
 * @throws `EINVAL` The user namespace does not map the id.
 * @throws `ERR_NEARFAR_MULTITHREADED` The call is made in Node: the kernel would change one thread of many.
 * @throws `ERR_NEARFAR_TASK_GONE` The current task has executed a program, exited or died.
 * @throws `TypeError` An argument is not a number.
 * @throws `RangeError` An argument is not an integer of the range above.
 * @example
 * ```ts
 * await using task = await Task.clone();
 * task.run(() => setegid(getgid()));
 * ```
 * @see setegid(2); CAP_SETGID over the user namespace for ids other than the present ones
 */
export function setegid(egid: number): void {
	setresgid(-1, id(egid, "egid"), -1);
}

/**
 * Sets the real and the effective group id.
 *
 * The saved id becomes the new effective one if `real` is given, or if `effective` differs from the former real id.
 *
 * @param real - 0 to 4294967294, as the user namespace of the current task counts; -1 leaves the id as it is.
 * @param effective - The same range; -1 leaves the id as it is.
 * @throws `EPERM` `real` is neither the present real nor the effective id, and the task has no CAP_SETGID.
 * @throws `EPERM` `effective` is none of the three present ids, and the task has no CAP_SETGID.
 * @throws `EINVAL` The user namespace does not map the id.
 * @throws `ERR_NEARFAR_MULTITHREADED` The call is made in Node: the kernel would change one thread of many.
 * @throws `ERR_NEARFAR_TASK_GONE` The current task has executed a program, exited or died.
 * @throws `TypeError` An argument is not a number.
 * @throws `RangeError` An argument is not an integer of the range above.
 * @example
 * ```ts
 * await using task = await Task.clone();
 * task.run(() => setregid(-1, getgid()));
 * ```
 * @see setregid(2); CAP_SETGID over the user namespace for ids other than the present ones
 */
export function setregid(real: number, effective: number): void {
	native().setregid(idOrUnchanged(real, "real"), idOrUnchanged(effective, "effective"));
}

/**
 * Sets the group id that file accesses are checked with.
 *
 * The kernel does not report whether the id has changed: call the function again with -1 to read it. The id follows
 * the effective group id whenever that one changes.
 *
 * @param gid - 0 to 4294967294, as the user namespace of the current task counts; -1 leaves the id as it is.
 * @returns The former id, whether or not it was changed.
 * @throws `ERR_NEARFAR_MULTITHREADED` The call is made in Node: the kernel would change one thread of many.
 * @throws `ERR_NEARFAR_BATCH` The call is inside a batch, which has no value to return yet.
 * @throws `ERR_NEARFAR_TASK_GONE` The current task has executed a program, exited or died.
 * @throws `TypeError` An argument is not a number.
 * @throws `RangeError` An argument is not an integer of the range above.
 * @example
 * ```ts
 * await using task = await Task.clone();
 * console.log(task.run(() => setfsgid(-1)) === process.getegid?.()); // true
 * ```
 * @see setfsgid(2), Linux 1.2; CAP_SETGID over the user namespace for ids other than the present ones
 */
export function setfsgid(gid: number): number {
	return native().setfsgid(idOrUnchanged(gid, "gid"));
}
