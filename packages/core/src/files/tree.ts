import { native } from "../addon/native.ts";
import { options as checkOptions, integer } from "../arguments.ts";
import { MultithreadedError } from "../errors.ts";
import { afterSuccess, currentTask } from "../target/target.ts";
import { FileDescriptor, numberOf } from "./descriptor.ts";
import { openat2 } from "./files.ts";
import { followedPath, Location, type LocationLike, toAt } from "./location.ts";
import { type PathLike, pathText } from "./path.ts";

/**
 * Changes the working directory.
 *
 * In a task the call changes the task's own directory. Near the call changes Node's, for all threads, as `process.chdir` does.
 *
 * @param at - A path, an open directory, or a {@link Location}.
 * @throws `ENOENT` The directory does not exist.
 * @throws `ENOTDIR` A component of the path is not a directory.
 * @throws `EACCES` The directory, or one on the way, may not be searched.
 * @throws `ELOOP` The path has more than 40 symbolic links.
 * @throws `ENAMETOOLONG` A component has more than 255 bytes, or the path more than 4095.
 * @throws `ERR_NEARFAR_MULTITHREADED` The call would run near in a Worker: `process.cwd()` of the main thread would not
 * notice the change.
 * @throws `ERR_NEARFAR_CLOSED` A descriptor is closed.
 * @throws `ERR_NEARFAR_FD_TABLE_MISMATCH` A descriptor belongs to another table than the current task's.
 * @throws `ERR_NEARFAR_BATCH` A descriptor is made by another batch, which has not run yet.
 * @throws `ERR_NEARFAR_TASK_GONE` The current task has executed a program, exited or died.
 * @throws `TypeError` `at` is no path, or holds a NUL byte.
 * @example
 * ```ts
 * await using task = await Task.clone();
 * task.run(() => chdir("/usr"));
 * ```
 * @see chdir(2), fchdir(2); no privilege
 */
export function chdir(at: LocationLike): void {
	const near = currentTask().isNear;
	if (near && !process.getBuiltinModule("node:worker_threads").isMainThread) {
		throw new MultithreadedError(
			"cannot change the working directory in a Worker: it is that of all threads; call chdir in task.run()",
		);
	}
	if (at instanceof FileDescriptor) native().fchdir(numberOf(at));
	else if (at instanceof Location) changeTo(at);
	else native().chdir(pathText(at, "at"));
	// Node caches the path of the working directory. Only process.chdir() clears the cache.
	if (near) afterSuccess(() => process.chdir("."));
}

/** Changes to a location. chdir(2) takes no directory to begin in, so that the location is opened first. */
function changeTo(at: Location): void {
	using directory = openat2(at, { flags: ["path", "directory"] });
	native().fchdir(numberOf(directory));
}

/**
 * Changes the root directory: the place where absolute paths begin and which `..` does not leave.
 *
 * The working directory and open descriptors stay where they are, and still reach files outside: also call `chdir("/")` and
 * {@link closeRange}. A changed root hides files and is no prison: a process with CAP_SYS_CHROOT can leave it. Near, the
 * call changes the root of Node, for all threads and for every task that is cloned later.
 *
 * @param at - A path, an open directory, or a {@link Location}. A link at its end is always followed.
 * @throws `EPERM` The task has no CAP_SYS_CHROOT in its user namespace.
 * @throws `ENOENT` The directory does not exist.
 * @throws `ENOTDIR` A component of the path is not a directory.
 * @throws `EACCES` The directory, or one on the way, may not be searched.
 * @throws `ELOOP` The path has more than 40 symbolic links.
 * @throws `ENAMETOOLONG` A component has more than 255 bytes, or the path more than 4095.
 * @throws `ERR_NEARFAR_CLOSED` A descriptor is closed.
 * @throws `ERR_NEARFAR_FD_TABLE_MISMATCH` A descriptor belongs to another table than the current task's.
 * @throws `ERR_NEARFAR_BATCH` A descriptor is made by another batch, which has not run yet.
 * @throws `ERR_NEARFAR_TASK_GONE` The current task has executed a program, exited or died.
 * @throws `TypeError` `at` is no path, holds a NUL byte, or is a location with `symlinks: false`.
 * @throws `TypeError` `at` is a descriptor that the same batch opens: such a descriptor has no path yet.
 * @example
 * ```ts
 * await using task = await Task.clone({ namespaces: ["user"], idMap: "root" });
 * task.run(() => {
 *   chroot("/usr");
 *   chdir("/");
 *   openat2("/bin/env").close();
 * });
 * ```
 * @see chroot(2); CAP_SYS_CHROOT
 */
export function chroot(at: LocationLike): void {
	native().chroot(followedPath(at, "at"));
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

/**
 * Makes a directory.
 *
 * @param at - The new directory: a path, or a {@link Location}. A link at its end is not followed.
 * @param options - `mode`: permission bits, 0 to 0o7777, without those of the umask. Default: 0o777.
 * @throws `EEXIST` A file, a directory or a link has the name already.
 * @throws `ENOENT` A directory on the way does not exist.
 * @throws `ENOTDIR` A component on the way is not a directory.
 * @throws `EACCES` A directory on the way may not be searched, or the last one may not be written to.
 * @throws `ELOOP` The path has more than 40 symbolic links.
 * @throws `ENAMETOOLONG` A component has more than 255 bytes, or the path more than 4095.
 * @throws `EROFS` The file system is read-only.
 * @throws `ENOSPC` The device is full.
 * @throws `EDQUOT` The user's quota is used up.
 * @throws `EOVERFLOW` The user namespace does not map the caller's ids.
 * @throws `ERR_NEARFAR_CLOSED` A descriptor is closed.
 * @throws `ERR_NEARFAR_FD_TABLE_MISMATCH` A descriptor belongs to another table than the current task's.
 * @throws `ERR_NEARFAR_BATCH` A descriptor is made by another batch, which has not run yet.
 * @throws `ERR_NEARFAR_TASK_GONE` The current task has executed a program, exited or died.
 * @throws `TypeError` An argument has the wrong type, or the path holds a NUL byte.
 * @throws `RangeError` The mode is out of its range.
 * @example
 * ```ts
 * await using task = await Task.clone({ namespaces: ["user", "mnt"], idMap: "root" });
 * task.run(() => {
 *   mount("scratch", "/tmp", "tmpfs");
 *   using tmp = openat2("/tmp", { flags: ["path", "directory"] });
 *   mkdir(new Location(tmp, "new"), { mode: 0o700 });
 * });
 * ```
 * @see mkdirat(2); no privilege
 */
export function mkdir(at: LocationLike, options?: { mode?: number }): void {
	const { mode = 0o777 } = checkOptions(options, ["mode"]);
	const place = toAt(at, "at");
	native().mkdirat(place.at, place.path, integer(mode, "options.mode", 0, 0o7777));
}

/**
 * Makes a symbolic link.
 *
 * @param target - The text of the link, 1 to 4095 bytes. The link may lead nowhere.
 * @param at - The new link: a path, or a {@link Location}. A link at its end is not followed.
 * @throws `EEXIST` A file, a directory or a link has the name already.
 * @throws `ENOENT` A directory on the way does not exist, or `target` is empty.
 * @throws `ENOTDIR` A component on the way is not a directory.
 * @throws `EACCES` A directory on the way may not be searched, or the last one may not be written to.
 * @throws `ELOOP` The path has more than 40 symbolic links.
 * @throws `ENAMETOOLONG` A component has more than 255 bytes, or the path more than 4095.
 * @throws `EROFS` The file system is read-only.
 * @throws `ENOSPC` The device is full.
 * @throws `EDQUOT` The user's quota is used up.
 * @throws `EOVERFLOW` The user namespace does not map the caller's ids.
 * @throws `ERR_NEARFAR_CLOSED` A descriptor is closed.
 * @throws `ERR_NEARFAR_FD_TABLE_MISMATCH` A descriptor belongs to another table than the current task's.
 * @throws `ERR_NEARFAR_BATCH` A descriptor is made by another batch, which has not run yet.
 * @throws `ERR_NEARFAR_TASK_GONE` The current task has executed a program, exited or died.
 * @throws `TypeError` An argument has the wrong type, or holds a NUL byte.
 * @example
 * ```ts
 * await using task = await Task.clone({ namespaces: ["user", "mnt"], idMap: "root" });
 * task.run(() => {
 *   mount("scratch", "/tmp", "tmpfs");
 *   using tmp = openat2("/tmp", { flags: ["path", "directory"] });
 *   symlink("/proc/self/fd", new Location(tmp, "fd"));
 * });
 * ```
 * @see symlinkat(2); no privilege
 */
export function symlink(target: PathLike, at: LocationLike): void {
	const place = toAt(at, "at");
	native().symlinkat(pathText(target, "target"), place.at, place.path);
}
