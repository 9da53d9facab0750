import { type RenameFlag, renameFlags } from "../addon/flags.generated.ts";
import { toBits } from "../addon/flags.ts";
import { native } from "../addon/native.ts";
import { options as checkOptions, integer } from "../arguments.ts";
import { type LocationLike, toAt } from "./location.ts";

/**
 * Renames a file or a directory, also into another directory of the same mount.
 *
 * Without flags a file that has the new name already is replaced, in one step: at every moment the name leads to the one
 * file or to the other. A link at the end of a path is renamed itself.
 *
 * @param from - The file: a path, or a {@link Location}.
 * @param to - The new name: a path, or a {@link Location}.
 * @param options - `flags`: `RENAME_*` names in lower case, or a number. `"noreplace"` fails if the new name exists,
 * `"exchange"` exchanges two files, `"whiteout"` leaves a whiteout of an overlay under the old name. Default: none.
 * @throws `ENOENT` `from` does not exist, a directory on the way does not exist, or a path is empty, as that of a descriptor is.
 * @throws `ENOENT` `exchange` is asked for, and `to` does not exist.
 * @throws `EEXIST` `noreplace` is asked for, and `to` exists.
 * @throws `ENOTEMPTY` `to` is a directory that is not empty.
 * @throws `EISDIR` `to` is a directory, and `from` is none.
 * @throws `ENOTDIR` `from` is a directory and `to` is none, or a component on the way is not a directory.
 * @throws `EXDEV` The two names are not on the same mount.
 * @throws `EINVAL` A directory would become part of itself.
 * @throws `EINVAL` Flags contradict each other, or the kernel or the file system does not know one.
 * @throws `EBUSY` A mount point, the root of a process, or a name that ends with `.` or `..`.
 * @throws `EACCES` A directory on the way may not be searched, or one that holds a name may not be written to.
 * @throws `EPERM` A directory is sticky, and the caller owns neither the directory nor the file in it.
 * @throws `EPERM` The file or a directory is immutable or can only be appended to.
 * @throws `EMLINK` The new directory has as many directories as the file system allows.
 * @throws `ELOOP` A path has more than 40 symbolic links.
 * @throws `ENAMETOOLONG` A component has more than 255 bytes, or a path more than 4095.
 * @throws `EROFS` The file system is read-only.
 * @throws `ENOSPC` The device is full.
 * @throws `EDQUOT` The user's quota is used up.
 * @throws `ERR_NEARFAR_CLOSED` A descriptor is closed.
 * @throws `ERR_NEARFAR_FD_TABLE_MISMATCH` A descriptor belongs to another table than the current task's.
 * @throws `ERR_NEARFAR_BATCH` A descriptor is made by another batch, which has not run yet.
 * @throws `ERR_NEARFAR_TASK_GONE` The current task has executed a program, exited or died.
 * @throws `TypeError` An argument has the wrong type, a path holds a NUL byte, or a name is no flag.
 * @throws `RangeError` The flags are out of their range.
 * @example
 * ```ts
 * await using task = await Task.clone({ namespaces: ["user", "mnt"], idMap: "root" });
 * task.run(() => {
 *   mount("scratch", "/tmp", "tmpfs");
 *   mkdir("/tmp/old");
 *   rename("/tmp/old", "/tmp/new", { flags: ["noreplace"] });
 * });
 * ```
 * @see renameat2(2); no privilege
 */
export function rename(
	from: LocationLike,
	to: LocationLike,
	options?: { flags?: readonly RenameFlag[] | number },
): void {
	const bits = toBits(renameFlags, checkOptions(options, ["flags"]).flags, "options.flags");
	const [old, next] = [toAt(from, "from"), toAt(to, "to")];
	const flags = integer(bits, "options.flags", 0, 2 ** 32 - 1);
	native().renameat2(old.at, old.path, next.at, next.path, flags);
}

/**
 * Removes the name of a file that is not a directory.
 *
 * The file itself is gone when it has no other name and is not open any more. A link at the end of the path is removed itself.
 *
 * @param at - The name: a path, or a {@link Location}.
 * @throws `ENOENT` The file does not exist, a directory on the way does not exist, or the path is empty, as that of a
 * descriptor is.
 * @throws `EISDIR` The file is a directory: {@link rmdir} removes it.
 * @throws `ENOTDIR` A component on the way is not a directory, or the path of another file ends with `/`.
 * @throws `EBUSY` A mount point, in this mount namespace.
 * @throws `EACCES` A directory on the way may not be searched, or the last one may not be written to.
 * @throws `EPERM` The directory is sticky, and the caller owns neither the directory nor the file.
 * @throws `EPERM` The file or its directory is immutable or can only be appended to.
 * @throws `ELOOP` A path has more than 40 symbolic links.
 * @throws `ENAMETOOLONG` A component has more than 255 bytes, or a path more than 4095.
 * @throws `EROFS` The file system is read-only.
 * @throws `ERR_NEARFAR_CLOSED` A descriptor is closed.
 * @throws `ERR_NEARFAR_FD_TABLE_MISMATCH` A descriptor belongs to another table than the current task's.
 * @throws `ERR_NEARFAR_BATCH` A descriptor is made by another batch, which has not run yet.
 * @throws `ERR_NEARFAR_TASK_GONE` The current task has executed a program, exited or died.
 * @throws `TypeError` `at` is no path, or holds a NUL byte.
 * @example
 * ```ts
 * await using task = await Task.clone({ namespaces: ["user", "mnt"], idMap: "root" });
 * await task.batch(() => {
 *   mount("scratch", "/tmp", "tmpfs");
 *   symlink("/proc/self/fd", "/tmp/fd");
 *   unlink("/tmp/fd");
 * });
 * ```
 * @see unlinkat(2); no privilege
 */
export function unlink(at: LocationLike): void {
	const place = toAt(at, "at");
	native().unlinkat(place.at, place.path, false);
}

/**
 * Removes an empty directory.
 *
 * @param at - The name of the directory: a path, or a {@link Location}. A link at its end is not followed.
 * @throws `ENOTEMPTY` The directory is not empty, or the path ends with `..`.
 * @throws `ENOTDIR` The file is not a directory, or a component on the way is none.
 * @throws `ENOENT` The directory does not exist, or the path is empty, as that of a descriptor is.
 * @throws `EINVAL` The path ends with `.`.
 * @throws `EBUSY` A mount point, or the root of a process.
 * @throws `EACCES` A directory on the way may not be searched, or the last one may not be written to.
 * @throws `EPERM` The directory above is sticky, and the caller owns neither of the two.
 * @throws `EPERM` The directory above is immutable or can only be appended to.
 * @throws `ELOOP` A path has more than 40 symbolic links.
 * @throws `ENAMETOOLONG` A component has more than 255 bytes, or a path more than 4095.
 * @throws `EROFS` The file system is read-only.
 * @throws `ERR_NEARFAR_CLOSED` A descriptor is closed.
 * @throws `ERR_NEARFAR_FD_TABLE_MISMATCH` A descriptor belongs to another table than the current task's.
 * @throws `ERR_NEARFAR_BATCH` A descriptor is made by another batch, which has not run yet.
 * @throws `ERR_NEARFAR_TASK_GONE` The current task has executed a program, exited or died.
 * @throws `TypeError` `at` is no path, or holds a NUL byte.
 * @example
 * ```ts
 * await using task = await Task.clone({ namespaces: ["user", "mnt"], idMap: "root" });
 * await task.batch(() => {
 *   mount("scratch", "/tmp", "tmpfs");
 *   mkdir("/tmp/empty");
 *   rmdir("/tmp/empty");
 * });
 * ```
 * @see rmdir(2), unlinkat(2) with AT_REMOVEDIR; no privilege
 */
export function rmdir(at: LocationLike): void {
	const place = toAt(at, "at");
	native().unlinkat(place.at, place.path, true);
}
