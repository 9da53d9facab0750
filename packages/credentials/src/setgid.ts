import { id, native } from "@nearfar/core/internal";
import { setresgid } from "./change.ts";
import { idOrUnchanged } from "./unchanged.ts";

/**
 * Sets the group id: with CAP_SETGID the real, effective and saved one, without it the effective one alone.
 *
 * The supplementary groups stay as they are: {@link setgroups}. Both come before the user id is given up.
 *
 * @param gid - 0 to 4294967294, as the user namespace of the task counts.
 * @throws `EPERM` neither the real nor the saved id, and no CAP_SETGID · `EINVAL` not mapped in the user namespace ·
 * `ERR_NEARFAR_MULTITHREADED` near: it would change one thread · `TypeError`, `RangeError`
 * @example
 * ```ts
 * await using task = await Task.clone(); // as root
 * task.run(() => setgid(1000));
 * ```
 * @see setgid(2); CAP_SETGID over the user namespace for other ids than the real and the saved one
 */
export function setgid(gid: number): void {
	native().setgid(id(gid, "gid"));
}

/**
 * Sets the effective group id alone, for a while: the saved one allows the way back. It is `setresgid(-1, egid, -1)`, as
 * in the C library, and a refusal names that call.
 *
 * @param egid - 0 to 4294967294, as the user namespace of the task counts.
 * @throws `EPERM` none of the three present ids, and no CAP_SETGID · `EINVAL` not mapped in the user namespace ·
 * `ERR_NEARFAR_MULTITHREADED` near: it would change one thread · `TypeError`, `RangeError`
 * @example
 * ```ts
 * await using task = await Task.clone();
 * task.run(() => setegid(getgid()));
 * ```
 * @see setegid(2); CAP_SETGID over the user namespace for other ids than the present ones
 */
export function setegid(egid: number): void {
	setresgid(-1, id(egid, "egid"), -1);
}

/**
 * Sets the real and the effective group id. The saved one becomes the effective one, if the real one is given, or the
 * effective one is set to anything but the former real one.
 *
 * @param real - 0 to 4294967294, as the user namespace of the task counts; -1: unchanged.
 * @param effective - Likewise.
 * @throws `EPERM` a real id that is neither the present real nor effective one, or an effective id that is none of the
 * three, and no CAP_SETGID · `EINVAL` not mapped in the user namespace · `ERR_NEARFAR_MULTITHREADED` near: it would
 * change one thread · `TypeError`, `RangeError`
 * @example
 * ```ts
 * await using task = await Task.clone();
 * task.run(() => setregid(-1, getgid()));
 * ```
 * @see setregid(2); CAP_SETGID over the user namespace for other ids than the present ones
 */
export function setregid(real: number, effective: number): void {
	native().setregid(idOrUnchanged(real, "real"), idOrUnchanged(effective, "effective"));
}

/**
 * Sets the group id that files see. The kernel does not say whether it has: ask again with -1. It follows the effective id
 * whenever that changes.
 *
 * @param gid - 0 to 4294967294, as the user namespace of the task counts; -1: unchanged.
 * @returns The former one, whether it was changed or not.
 * @throws `ERR_NEARFAR_MULTITHREADED` near: it would change one thread · `BatchError` in a batch · `TaskGoneError` ·
 * `TypeError`, `RangeError`
 * @example
 * ```ts
 * await using task = await Task.clone();
 * console.log(task.run(() => setfsgid(-1)) === process.getegid()); // true
 * ```
 * @see setfsgid(2); CAP_SETGID over the user namespace for other ids than the present ones
 */
export function setfsgid(gid: number): number {
	return native().setfsgid(idOrUnchanged(gid, "gid"));
}
