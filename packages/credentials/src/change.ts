import { array, id, native, outOfRange } from "@nearfar/core/internal";
import { idOrUnchanged } from "./unchanged.ts";

const GROUPS = 65536; // the kernel's limit

/**
 * Sets the real, effective and saved user id.
 *
 * In a user namespace that does not map 0, no capability is lost by it. Files see the effective id.
 *
 * @param real - 0 to 4294967294, as the user namespace of the task counts; -1: unchanged.
 * @param effective - Likewise.
 * @param saved - Likewise.
 * @throws `EPERM` none of the three present ids, and no CAP_SETUID · `EINVAL` not mapped in the user namespace · `EAGAIN` a
 * limit of processes · `ERR_NEARFAR_MULTITHREADED` near: it would change one thread · `TypeError`, `RangeError`
 * @example
 * ```ts
 * const map = [{ inside: 1000, outside: 100000, count: 1 }];
 * await using task = await Task.clone({ namespaces: ["user"], idMap: { uids: map, gids: map } }); // as root
 * task.run(() => setresuid(1000, 1000, 1000));
 * ```
 * @see setresuid(2); CAP_SETUID over the user namespace for other ids than the present ones
 */
export function setresuid(real: number, effective: number, saved: number): void {
	native().setresuid(idOrUnchanged(real, "real"), idOrUnchanged(effective, "effective"), idOrUnchanged(saved, "saved"));
}

/**
 * Sets the real, effective and saved group id.
 *
 * @param real - 0 to 4294967294, as the user namespace of the task counts; -1: unchanged.
 * @param effective - Likewise.
 * @param saved - Likewise.
 * @throws `EPERM` none of the three present ids, and no CAP_SETGID · `EINVAL` not mapped in the user namespace ·
 * `ERR_NEARFAR_MULTITHREADED` near: it would change one thread · `TypeError`, `RangeError`
 * @example
 * ```ts
 * await using task = await Task.clone();
 * task.run(() => setresgid(getgid(), getgid(), getgid()));
 * ```
 * @see setresgid(2); CAP_SETGID over the user namespace for other ids than the present ones
 */
export function setresgid(real: number, effective: number, saved: number): void {
	native().setresgid(idOrUnchanged(real, "real"), idOrUnchanged(effective, "effective"), idOrUnchanged(saved, "saved"));
}

/**
 * Sets the supplementary groups. Before the user id is given up: the privilege goes with it.
 *
 * @param groups - Up to 65536 ids, each 0 to 4294967294, as the user namespace of the task counts; `[]` for none.
 * @throws `EPERM` no CAP_SETGID, or given up in the user namespace (`/proc/pid/setgroups`) · `EINVAL` not mapped in the
 * user namespace · `ERR_NEARFAR_MULTITHREADED` near: it would change one thread · `TypeError`, `RangeError`
 * @example
 * ```ts
 * await using task = await Task.clone(); // as root
 * task.run(() => setgroups([]));
 * ```
 * @see setgroups(2); CAP_SETGID over the user namespace
 */
export function setgroups(groups: readonly number[]): void {
	const list = array(groups, "groups").map((group, index) => id(group, `groups[${index}]`));
	if (list.length > GROUPS) throw outOfRange("groups", `at most ${GROUPS} ids`, list.length);
	native().setgroups(list, false);
}
