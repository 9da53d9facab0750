import { checkUser, id, resolveUser } from "@nearfar/core/internal";

/** A user by name or by id. A string is a name in any case, also one of digits; a number is an id in any case. */
export type User = string | number;

/**
 * Returns the groups of a user, as a login of the user would get them.
 *
 * The C library of Node is asked, wherever the current task runs: files and directory services of a container are never read. So the
 * function also works in a batch. The function takes as long as the directory service does, and asks anew every time. The C library does not
 * report a directory service that fails while it lists the groups.
 *
 * @param user - The name of a user, or a user id from 0 to 4294967294.
 * @param gid - A group that is added to the list: 0 to 4294967294. Default: the user's own group id.
 * @returns The group ids, ascending and without duplicates, `gid` among them.
 * @throws `ERR_NEARFAR_UNKNOWN_USER` No user has the name or the id.
 * @throws `EMFILE` Node has no free descriptor to read the files with.
 * @throws `EACCES` Node may not read the files.
 * @throws `TypeError` `user` is neither a string nor a number, or holds a NUL byte.
 * @throws `TypeError` `gid` is not a number.
 * @throws `RangeError` `user` or `gid` is a number, and not an integer of the range above.
 * @throws `RangeError` The user is in more than 65536 groups, or has an id beyond the range above.
 * @example
 * ```ts
 * console.log(groupsOf("root")); // [ 0 ]
 * console.log(groupsOf(0, 100)); // [ 0, 100 ] if root's entry in the group file says so, otherwise [ 100 ]
 * ```
 * @see getgrouplist(3), getpwnam_r(3); no privilege
 */
export function groupsOf(user: User, gid?: number): number[] {
	checkUser(user, "user");
	return resolveUser(user, "user", { gid: gid === undefined ? undefined : id(gid, "gid") }).groups;
}
