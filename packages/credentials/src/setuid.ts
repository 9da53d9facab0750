import { id, native } from "@nearfar/core/internal";
import { setresuid } from "./change.ts";
import { idOrUnchanged } from "./unchanged.ts";

/**
 * Sets the user id: with CAP_SETUID the real, effective and saved one, without it the effective one alone.
 *
 * Who gives privileges up had better use {@link setresuid}, which does the same with or without the capability. Groups
 * stay as they are, and after this nobody may change them: {@link setgroups} and {@link setresgid} come first.
 *
 * @param uid - 0 to 4294967294, as the user namespace of the task counts.
 * @throws `EPERM` neither the real nor the saved id, and no CAP_SETUID · `EINVAL` not mapped in the user namespace ·
 * `EAGAIN` a limit of processes · `ERR_NEARFAR_MULTITHREADED` near: it would change one thread · `TypeError`, `RangeError`
 * @example
 * ```ts
 * await using task = await Task.clone(); // as root
 * task.run(() => setuid(1000));
 * ```
 * @see setuid(2); CAP_SETUID over the user namespace for other ids than the real and the saved one
 */
export function setuid(uid: number): void {
	native().setuid(id(uid, "uid"));
}

/**
 * Sets the effective user id alone, for a while: the saved one allows the way back. It is `setresuid(-1, euid, -1)`, as in
 * the C library, and a refusal names that call.
 *
 * @param euid - 0 to 4294967294, as the user namespace of the task counts.
 * @throws `EPERM` none of the three present ids, and no CAP_SETUID · `EINVAL` not mapped in the user namespace ·
 * `ERR_NEARFAR_MULTITHREADED` near: it would change one thread · `TypeError`, `RangeError`
 * @example
 * ```ts
 * await using task = await Task.clone(); // as root
 * task.run(() => {
 *   seteuid(1000);
 *   openat2("/etc/hostname").close(); // may they read it?
 *   seteuid(0);
 * });
 * ```
 * @see seteuid(2); CAP_SETUID over the user namespace for other ids than the present ones
 */
export function seteuid(euid: number): void {
	setresuid(-1, id(euid, "euid"), -1);
}

/**
 * Sets the real and the effective user id. The saved one becomes the effective one, if the real one is given, or the
 * effective one is set to anything but the former real one.
 *
 * @param real - 0 to 4294967294, as the user namespace of the task counts; -1: unchanged.
 * @param effective - Likewise.
 * @throws `EPERM` a real id that is neither the present real nor effective one, or an effective id that is none of the
 * three, and no CAP_SETUID · `EINVAL` not mapped in the user namespace · `EAGAIN` a limit of processes ·
 * `ERR_NEARFAR_MULTITHREADED` near: it would change one thread · `TypeError`, `RangeError`
 * @example
 * ```ts
 * await using task = await Task.clone();
 * task.run(() => setreuid(-1, getuid()));
 * ```
 * @see setreuid(2); CAP_SETUID over the user namespace for other ids than the present ones
 */
export function setreuid(real: number, effective: number): void {
	native().setreuid(idOrUnchanged(real, "real"), idOrUnchanged(effective, "effective"));
}

/**
 * Sets the user id that files see. The kernel does not say whether it has: ask again with -1.
 *
 * It follows the effective id whenever that changes. Where it leaves 0, CAP_CHOWN, CAP_DAC_OVERRIDE and the other
 * capabilities over files leave the effective set; where it becomes 0, they come back.
 *
 * @param uid - 0 to 4294967294, as the user namespace of the task counts; -1: unchanged.
 * @returns The former one, whether it was changed or not.
 * @throws `ERR_NEARFAR_MULTITHREADED` near: it would change one thread · `BatchError` in a batch · `TaskGoneError` ·
 * `TypeError`, `RangeError`
 * @example
 * ```ts
 * await using task = await Task.clone();
 * console.log(task.run(() => setfsuid(-1)) === process.geteuid()); // true
 * ```
 * @see setfsuid(2); CAP_SETUID over the user namespace for other ids than the present ones
 */
export function setfsuid(uid: number): number {
	return native().setfsuid(idOrUnchanged(uid, "uid"));
}
