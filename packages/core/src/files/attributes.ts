import { atFlags } from "../addon/flags.generated.ts";
import { native } from "../addon/native.ts";
import { id, integer } from "../arguments.ts";
import { FileDescriptor, numberOf } from "./descriptor.ts";
import { type LocationLike, toAt } from "./location.ts";

/** The user or group id that fchownat(2) leaves as it is. */
const KEEP = 2 ** 32 - 1;

/**
 * Changes the mode of a file: its permission bits, and the set-user-id, set-group-id and sticky bits.
 *
 * The kernel ignores the umask. An open file is changed by fchmod(2), which refuses a descriptor that was opened with
 * `path`. `new Location(fd)`, a location with an empty path, is changed by fchmodat2(2), which takes such a descriptor too.
 * For an open directory, `new Location(fd, ".")` does the same on every kernel.
 *
 * @param at - A path, whose link at the end is followed; an open file; or a {@link Location}. With `symlinks: false` a link
 * itself is meant, whose mode most file systems cannot change.
 * @param mode - The bits, 0 to 0o7777.
 * @throws `EPERM` The caller does not own the file and has no CAP_FOWNER, or the file is immutable or can only be appended to.
 * @throws `EBADF` The descriptor was opened with `path`, or other code has closed its number.
 * @throws `EOPNOTSUPP` The location has `symlinks: false` and is a link, and the file system gives links no mode.
 * @throws `ENOSYS` The location has `symlinks: false` or an empty path, and the kernel is older than Linux 6.6.
 * @throws `ENOENT` The file does not exist, or the path is empty.
 * @throws `ENOTDIR` A component on the way is not a directory.
 * @throws `EACCES` A directory on the way may not be searched.
 * @throws `ELOOP` A path has more than 40 symbolic links.
 * @throws `ENAMETOOLONG` A component has more than 255 bytes, or a path more than 4095.
 * @throws `EROFS` The file system is read-only.
 * @throws `ERR_NEARFAR_CLOSED` A descriptor is closed.
 * @throws `ERR_NEARFAR_FD_TABLE_MISMATCH` A descriptor belongs to another table than the current task's.
 * @throws `ERR_NEARFAR_BATCH` A descriptor is made by another batch, which has not run yet.
 * @throws `ERR_NEARFAR_TASK_GONE` The current task has executed a program, exited or died.
 * @throws `TypeError` An argument has the wrong type, or a path holds a NUL byte.
 * @throws `RangeError` The mode is out of its range.
 * @example
 * ```ts
 * await using task = await Task.clone({ namespaces: ["user", "mnt"], idMap: "root" });
 * await task.batch(() => {
 *   mount("scratch", "/tmp", "tmpfs");
 *   mkdir("/tmp/shared");
 *   chmod("/tmp/shared", 0o1777); // the mode of mkdir is cut down by the umask, this one is not
 * });
 * ```
 * @see chmod(2), fchmod(2), fchmodat(2); fchmodat2(2), Linux 6.6; the owner of the file, or CAP_FOWNER
 */
export function chmod(at: LocationLike, mode: number): void {
	const bits = integer(mode, "mode", 0, 0o7777);
	if (at instanceof FileDescriptor) {
		native().fchmod(numberOf(at), bits);
		return;
	}
	const place = toAt(at, "at");
	const flags = place.flags & (atFlags.symlinkNofollow | (place.path.length === 0 ? atFlags.emptyPath : 0));
	if (flags === 0) native().fchmodat(place.at, place.path, bits);
	else native().fchmodat2(place.at, place.path, bits, flags);
}

/**
 * Changes the owner and the group of a file.
 *
 * The ids are those of the task's user namespace. The kernel clears the set-user-id and set-group-id bits of a file that is
 * not a directory, and removes its capabilities: call {@link chmod} afterwards.
 *
 * @param at - A path, whose link at the end is followed; an open file of any kind; or a {@link Location}. With
 * `symlinks: false` a link itself is changed.
 * @param uid - The new owner, 0 to 4294967294. `undefined` or -1: the owner stays.
 * @param gid - The new group, 0 to 4294967294. `undefined` or -1: the group stays.
 * @throws `EPERM` The caller has no CAP_CHOWN and asks for more than to change the group of an own file to a group of its own.
 * @throws `EPERM` The file is immutable or can only be appended to.
 * @throws `EINVAL` The user namespace does not map an id.
 * @throws `EBADF` Other code has closed the number of the descriptor.
 * @throws `ENOENT` The file does not exist, or the path is empty.
 * @throws `ENOTDIR` A component on the way is not a directory.
 * @throws `EACCES` A directory on the way may not be searched.
 * @throws `ELOOP` A path has more than 40 symbolic links.
 * @throws `ENAMETOOLONG` A component has more than 255 bytes, or a path more than 4095.
 * @throws `EROFS` The file system is read-only.
 * @throws `EDQUOT` The quota of the new owner is used up.
 * @throws `ERR_NEARFAR_CLOSED` A descriptor is closed.
 * @throws `ERR_NEARFAR_FD_TABLE_MISMATCH` A descriptor belongs to another table than the current task's.
 * @throws `ERR_NEARFAR_BATCH` A descriptor is made by another batch, which has not run yet.
 * @throws `ERR_NEARFAR_TASK_GONE` The current task has executed a program, exited or died.
 * @throws `TypeError` An argument has the wrong type, or a path holds a NUL byte.
 * @throws `RangeError` An id is out of its range.
 * @example
 * ```ts
 * await using task = await Task.clone({ namespaces: ["user", "mnt"], idMap: "root" });
 * await task.batch(() => {
 *   mount("scratch", "/tmp", "tmpfs");
 *   mkdir("/tmp/home");
 *   chown("/tmp/home", 0, undefined);
 * });
 * ```
 * @see fchownat(2); CAP_CHOWN for another owner; for another group, an owner of the file that is in the group
 */
export function chown(at: LocationLike, uid: number | undefined, gid: number | undefined): void {
	const [owner, group] = [idOrKeep(uid, "uid"), idOrKeep(gid, "gid")];
	const place = toAt(at, "at");
	const flags = place.flags & (atFlags.symlinkNofollow | atFlags.emptyPath);
	native().fchownat(place.at, place.path, owner, group, flags);
}

function idOrKeep(value: number | undefined, name: string): number {
	return value === undefined || value === -1 ? KEEP : id(value, name);
}

/**
 * Sets the file mode creation mask: the permission bits that new files do not get.
 *
 * In a task the call changes the task's own mask. Near the call changes Node's, as `process.umask(mask)` does, for all threads
 * and for every task that is cloned later.
 *
 * @param mask - The bits, 0 to 0o777.
 * @throws `ERR_NEARFAR_TASK_GONE` The current task has executed a program, exited or died.
 * @throws `TypeError` `mask` is not a number.
 * @throws `RangeError` `mask` is out of its range.
 * @example
 * ```ts
 * await using task = await Task.clone();
 * task.run(() => umask(0o077));
 * ```
 * @see umask(2); no privilege
 */
export function umask(mask: number): void {
	native().umask(integer(mask, "mask", 0, 0o777));
}
