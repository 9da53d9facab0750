import type { ProcessOption } from "@nearfar/core";
import { options as checkOptions, native, onEveryThread } from "@nearfar/core/internal";
import { groupList } from "./group-list.ts";
import { idOrUnchanged } from "./unchanged.ts";

/**
 * Sets the real, effective and saved user id.
 *
 * Files are created and accessed with the effective id. In a user namespace that does not map 0, changing the ids
 * takes no capability away.
 *
 * @param real - 0 to 4294967294, as the user namespace of the current task counts; -1 leaves the id as it is.
 * @param effective - The same range; -1 leaves the id as it is.
 * @param saved - The same range; -1 leaves the id as it is.
 * @param options - `process`: `true` lets the call change every thread of Node, or none, where it is made near.
 * Default: `false`.
 * @throws `EPERM` An id is none of the three present ids, and the task has no CAP_SETUID.
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
 * const map = [{ inside: 1000, outside: 100000, count: 1 }];
 * await using task = await Task.clone({ namespaces: ["user"], idMap: { uids: map, gids: map } }); // as root
 * task.run(() => setresuid(1000, 1000, 1000));
 * ```
 * @see setresuid(2), Linux 2.1.44; CAP_SETUID over the user namespace for ids other than the present ones
 */
export function setresuid(real: number, effective: number, saved: number, options?: ProcessOption): void {
	const ids = [
		idOrUnchanged(real, "real"),
		idOrUnchanged(effective, "effective"),
		idOrUnchanged(saved, "saved"),
	] as const;
	onEveryThread(checkOptions(options, ["process"]), "setresuid", () => native().setresuid(...ids));
}

/**
 * Sets the real, effective and saved group id.
 *
 * The supplementary groups stay as they are; {@link setgroups} sets them.
 *
 * @param real - 0 to 4294967294, as the user namespace of the current task counts; -1 leaves the id as it is.
 * @param effective - The same range; -1 leaves the id as it is.
 * @param saved - The same range; -1 leaves the id as it is.
 * @param options - `process`: `true` lets the call change every thread of Node, or none, where it is made near.
 * Default: `false`.
 * @throws `EPERM` An id is none of the three present ids, and the task has no CAP_SETGID.
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
 * task.run(() => setresgid(getgid(), getgid(), getgid()));
 * ```
 * @see setresgid(2), Linux 2.1.44; CAP_SETGID over the user namespace for ids other than the present ones
 */
export function setresgid(real: number, effective: number, saved: number, options?: ProcessOption): void {
	const ids = [
		idOrUnchanged(real, "real"),
		idOrUnchanged(effective, "effective"),
		idOrUnchanged(saved, "saved"),
	] as const;
	onEveryThread(checkOptions(options, ["process"]), "setresgid", () => native().setresgid(...ids));
}

/**
 * Sets the supplementary groups.
 *
 * Call this before the user id changes: CAP_SETGID goes away with user id 0.
 *
 * @param groups - Up to 65536 ids, each 0 to 4294967294, as the user namespace of the current task counts; `[]` for
 * none.
 * @param options - `process`: `true` lets the call change every thread of Node, or none, where it is made near.
 * Default: `false`.
 * @throws `EPERM` The task has no CAP_SETGID.
 * @throws `EPERM` The user namespace denies setgroups(2) (`deny` in `/proc/<pid>/setgroups`).
 * @throws `EINVAL` The user namespace does not map the id.
 * @throws `ERR_NEARFAR_MULTITHREADED` The call is made in Node without `process`: the kernel would change one thread of
 * many.
 * @throws `ERR_NEARFAR_IO_URING` With `process`: Node has an io_uring, which would keep its credentials.
 * @throws `ERR_NEARFAR_THREAD_SILENT` With `process`: a thread of Node did not answer.
 * @throws `ERR_NEARFAR_THREADS_DIFFER` With `process`: a thread of Node has other credentials than the calling thread.
 * @throws `ERR_NEARFAR_BATCH` The call is in a batch of this process, with `process`.
 * @throws `ERR_NEARFAR_TASK_GONE` The current task has executed a program, exited or died.
 * @throws `TypeError` `groups` is not an array of numbers.
 * @throws `TypeError` An option is unknown, or `process` is not a boolean.
 * @throws `RangeError` There are more than 65536 groups, or one is not an integer of the range above.
 * @example
 * ```ts
 * await using task = await Task.clone(); // as root
 * task.run(() => setgroups([]));
 * ```
 * @see setgroups(2); CAP_SETGID over the user namespace
 */
export function setgroups(groups: readonly number[], options?: ProcessOption): void {
	const list = groupList(groups, "groups");
	onEveryThread(checkOptions(options, ["process"]), "setgroups", () => native().setgroups(list, false));
}
