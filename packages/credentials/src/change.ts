import { array, id, native, outOfRange } from "@nearfar/core/internal";
import { idOrUnchanged } from "./unchanged.ts";

const GROUPS = 65536; // the kernel's limit

/**
 * Sets the real, effective and saved user id.
 *
 * Files are created and accessed with the effective id. In a user namespace that does not map 0, changing the ids
 * takes no capability away.
 *
 * @param real - 0 to 4294967294, as the user namespace of the current task counts; -1 leaves the id as it is.
 * @param effective - The same range; -1 leaves the id as it is.
 * @param saved - The same range; -1 leaves the id as it is.
 * @throws `EPERM` An id is none of the three present ids, and the task has no CAP_SETUID.
 * @throws `EINVAL` The user namespace does not map the id.
 * @throws `EAGAIN` The new real user id has reached its limit of processes (RLIMIT_NPROC).
 * @throws `ERR_NEARFAR_MULTITHREADED` The call is made in Node: the kernel would change one thread of many.
 * @throws `ERR_NEARFAR_TASK_GONE` The current task has executed a program, exited or died.
 * @throws `TypeError` An argument is not a number.
 * @throws `RangeError` An argument is not an integer of the range above.
 * @example
 * ```ts
 * const map = [{ inside: 1000, outside: 100000, count: 1 }];
 * await using task = await Task.clone({ namespaces: ["user"], idMap: { uids: map, gids: map } }); // as root
 * task.run(() => setresuid(1000, 1000, 1000));
 * ```
 * @see setresuid(2), Linux 2.1.44; CAP_SETUID over the user namespace for ids other than the present ones
 */
export function setresuid(real: number, effective: number, saved: number): void {
	native().setresuid(idOrUnchanged(real, "real"), idOrUnchanged(effective, "effective"), idOrUnchanged(saved, "saved"));
}

/**
 * Sets the real, effective and saved group id.
 *
 * The supplementary groups stay as they are; {@link setgroups} sets them.
 *
 * @param real - 0 to 4294967294, as the user namespace of the current task counts; -1 leaves the id as it is.
 * @param effective - The same range; -1 leaves the id as it is.
 * @param saved - The same range; -1 leaves the id as it is.
 * @throws `EPERM` An id is none of the three present ids, and the task has no CAP_SETGID.
 * @throws `EINVAL` The user namespace does not map the id.
 * @throws `ERR_NEARFAR_MULTITHREADED` The call is made in Node: the kernel would change one thread of many.
 * @throws `ERR_NEARFAR_TASK_GONE` The current task has executed a program, exited or died.
 * @throws `TypeError` An argument is not a number.
 * @throws `RangeError` An argument is not an integer of the range above.
 * @example
 * ```ts
 * await using task = await Task.clone();
 * task.run(() => setresgid(getgid(), getgid(), getgid()));
 * ```
 * @see setresgid(2), Linux 2.1.44; CAP_SETGID over the user namespace for ids other than the present ones
 */
export function setresgid(real: number, effective: number, saved: number): void {
	native().setresgid(idOrUnchanged(real, "real"), idOrUnchanged(effective, "effective"), idOrUnchanged(saved, "saved"));
}

/**
 * Sets the supplementary groups.
 *
 * Call this before the user id changes: CAP_SETGID goes away with user id 0.
 *
 * @param groups - Up to 65536 ids, each 0 to 4294967294, as the user namespace of the current task counts; `[]` for
 * none.
 * @throws `EPERM` The task has no CAP_SETGID.
 * @throws `EPERM` The user namespace denies setgroups(2) (`deny` in `/proc/<pid>/setgroups`).
 * @throws `EINVAL` The user namespace does not map the id.
 * @throws `ERR_NEARFAR_MULTITHREADED` The call is made in Node: the kernel would change one thread of many.
 * @throws `ERR_NEARFAR_TASK_GONE` The current task has executed a program, exited or died.
 * @throws `TypeError` `groups` is not an array of numbers.
 * @throws `RangeError` There are more than 65536 groups, or one is not an integer of the range above.
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
