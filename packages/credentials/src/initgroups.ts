import type { ProcessOption } from "@nearfar/core";
import { options as checkOptions } from "@nearfar/core/internal";
import { setgroups } from "./change.ts";
import { groupsOf, type User } from "./users.ts";

/**
 * Sets the supplementary groups to those of a user, with nothing between: `setgroups(groupsOf(user, gid))`.
 *
 * The user is resolved in Node, by the C library of Node. The ids are then those of the current task's user namespace. Call this
 * before the user id changes: CAP_SETGID goes away with user id 0.
 *
 * @param user - The name of a user, or a user id from 0 to 4294967294.
 * @param gid - A group that is added to the list: 0 to 4294967294. Default: the user's own group id.
 * @param options - `process`: `true` lets the call change every thread of Node, or none, where it is made near.
 * Default: `false`.
 * @throws `EPERM` The task has no CAP_SETGID.
 * @throws `EPERM` The user namespace denies setgroups(2) (`deny` in `/proc/<pid>/setgroups`).
 * @throws `EINVAL` The user namespace does not map a group of the user.
 * @throws `ERR_NEARFAR_UNKNOWN_USER` No user has the name or the id.
 * @throws `EMFILE` Node has no free descriptor to read the files with.
 * @throws `EACCES` Node may not read the files.
 * @throws `ERR_NEARFAR_MULTITHREADED` The call is made in Node without `process`: the kernel would change one thread of
 * many.
 * @throws `ERR_NEARFAR_IO_URING` With `process`: Node has an io_uring, which would keep its credentials.
 * @throws `ERR_NEARFAR_THREAD_SILENT` With `process`: a thread of Node did not answer.
 * @throws `ERR_NEARFAR_THREADS_DIFFER` With `process`: a thread of Node has other credentials than the calling thread.
 * @throws `ERR_NEARFAR_BATCH` The call is in a batch of this process, with `process`.
 * @throws `ERR_NEARFAR_TASK_GONE` The current task has executed a program, exited or died.
 * @throws `TypeError` `user` is neither a string nor a number, or holds a NUL byte.
 * @throws `TypeError` `gid` is not a number.
 * @throws `TypeError` An option is unknown, or `process` is not a boolean.
 * @throws `RangeError` `user` or `gid` is a number, and not an integer of the range above.
 * @throws `RangeError` The user is in more than 65536 groups, or has an id beyond the range above.
 * @example
 * ```ts
 * await using task = await Task.clone(); // as root
 * task.run(() => {
 *   initgroups("nobody");
 *   setresgid(65534, 65534, 65534);
 *   setresuid(65534, 65534, 65534);
 * });
 * ```
 * @see initgroups(3), setgroups(2); CAP_SETGID over the user namespace
 */
export function initgroups(user: User, gid?: number, options?: ProcessOption): void {
	const checked = checkOptions(options, ["process"]);
	setgroups(groupsOf(user, gid), checked);
}
