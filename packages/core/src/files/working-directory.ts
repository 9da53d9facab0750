import { native } from "../addon/native.ts";
import { MultithreadedError, NearfarError } from "../errors.ts";
import { afterSuccess, currentTask } from "../target/target.ts";
import { FileDescriptor, numberOf } from "./descriptor.ts";
import { openat2 } from "./files.ts";
import { followedPath, Location, type LocationLike, refuseNotFollowed } from "./location.ts";
import { isAbsolute, pathText } from "./path.ts";

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
 * A place that begins at an open directory takes two calls, fchdir(2) and `chroot(".")`. They change the working directory to
 * the new root too. If the second call fails, the working directory has changed already. Near, such a place is refused.
 *
 * @param at - A path, an open directory, or a {@link Location}. A link at its end is always followed.
 * @throws `EPERM` The task has no CAP_SYS_CHROOT in its user namespace.
 * @throws `ENOENT` The directory does not exist.
 * @throws `ENOTDIR` A component of the path is not a directory.
 * @throws `EACCES` The directory, or one on the way, may not be searched.
 * @throws `ELOOP` The path has more than 40 symbolic links.
 * @throws `ENAMETOOLONG` A component has more than 255 bytes, or the path more than 4095.
 * @throws `ERR_NEARFAR_NEAR` `at` begins at an open directory, and the call would run in this process: the working directory
 * of Node would change.
 * @throws `ERR_NEARFAR_CLOSED` A descriptor is closed.
 * @throws `ERR_NEARFAR_FD_TABLE_MISMATCH` A descriptor belongs to another table than the current task's.
 * @throws `ERR_NEARFAR_BATCH` A descriptor is made by another batch, which has not run yet.
 * @throws `ERR_NEARFAR_TASK_GONE` The current task has executed a program, exited or died.
 * @throws `TypeError` `at` is no path, holds a NUL byte, or is a location with `symlinks: false`.
 * @example
 * ```ts
 * await using task = await Task.clone({ namespaces: ["user"], idMap: "root" });
 * task.run(() => {
 *   using usr = openat2("/usr", { flags: ["path", "directory"] });
 *   chroot(usr); // the working directory is the new root, too
 *   openat2("/bin/env").close();
 * });
 * ```
 * @see chroot(2), fchdir(2); CAP_SYS_CHROOT
 */
export function chroot(at: LocationLike): void {
	if (!beginsAtDirectory(at)) {
		native().chroot(followedPath(at, "at"));
		return;
	}
	if (at instanceof Location) refuseNotFollowed(at, "at");
	if (currentTask().isNear) {
		throw new NearfarError(
			"NEAR",
			"cannot change the root of this process to an open directory: the working directory of Node would change too; pass a path, or call chroot in task.run()",
		);
	}
	chdir(at);
	native().chroot(".");
}

/** True when a place begins at an open directory, so that it has no path for the kernel. */
function beginsAtDirectory(at: LocationLike): boolean {
	if (at instanceof FileDescriptor) return true;
	return at instanceof Location && at.directory !== undefined && !isAbsolute(at.path);
}
