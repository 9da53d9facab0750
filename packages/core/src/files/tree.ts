import { native } from "../addon/native.ts";
import { options as checkOptions, integer } from "../arguments.ts";
import { MultithreadedError } from "../errors.ts";
import { afterSuccess, currentTask } from "../target/target.ts";
import { FileDescriptor, numberOf } from "./descriptor.ts";
import { openat2 } from "./files.ts";
import { followedPath, Location, type LocationLike, toAt } from "./location.ts";
import { type PathLike, pathText } from "./path.ts";

/**
 * Makes a directory the working directory.
 *
 * In a task it changes the task's own. Near it changes Node's, as `process.chdir` does: for every thread.
 *
 * @param at - A path, an open directory, or a {@link Location}.
 * @throws `ENOENT` · `ENOTDIR` · `EACCES` it may not be searched · `ELOOP` · `ENAMETOOLONG` ·
 * `ERR_NEARFAR_MULTITHREADED` near in a Worker, as the main thread's `process.cwd()` would not notice · `TypeError`
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
		throw new MultithreadedError("chdir in a Worker would change the main thread's working directory: use a task");
	}
	if (at instanceof FileDescriptor) native().fchdir(numberOf(at));
	else if (at instanceof Location) changeTo(at);
	else native().chdir(pathText(at, "at"));
	// Node remembers the path, and forgets it only through its own function.
	if (near) afterSuccess(() => process.chdir("."));
}

/** chdir(2) knows no directory to begin in. */
function changeTo(at: Location): void {
	using directory = openat2(at, { flags: ["path", "directory"] });
	native().fchdir(numberOf(directory));
}

/**
 * Makes a directory the root: where absolute paths begin, and what `..` does not leave.
 *
 * The working directory and open descriptors stay where they are, and still reach what is outside: `chdir("/")` and
 * {@link closeRange} come with it. It hides files; whoever keeps CAP_SYS_CHROOT can get out. In this process it is Node's
 * root, for every thread and for every task cloned later.
 *
 * @param at - A path, an open directory, or a {@link Location}.
 * @throws `EPERM` no CAP_SYS_CHROOT · `ENOENT` · `ENOTDIR` · `EACCES` it may not be searched · `ELOOP` · `ENAMETOOLONG` ·
 * `TypeError`
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
 * Sets which permission bits new files do not get.
 *
 * In a task it changes the task's own. Near it changes Node's, as `process.umask(mask)` does: for every thread, and for
 * every task cloned later.
 *
 * @param mask - 0 to 0o777.
 * @throws `TypeError`, `RangeError`
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
 * @param at - Where: a path, or a {@link Location}. A link at its end is not followed.
 * @param options - `mode`: permission bits, 0 to 0o7777, of which the umask is taken away. Default: 0o777.
 * @throws `EEXIST` something is there · `ENOENT` a parent is missing · `ENOTDIR` · `EACCES` · `EROFS` · `ENOSPC` ·
 * `ELOOP` · `ENAMETOOLONG` · `EOVERFLOW` the user namespace does not map the caller's ids · `TypeError`, `RangeError`
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
	const { mode = 0o777 } = checkOptions(options);
	const place = toAt(at, "at");
	native().mkdirat(place.at, place.path, integer(mode, "options.mode", 0, 0o7777));
}

/**
 * Makes a symbolic link.
 *
 * @param target - The text of the link; nothing has to be there. At most 4095 bytes.
 * @param at - Where: a path, or a {@link Location}. A link at its end is not followed.
 * @throws `EEXIST` something is there · `ENOENT` a parent is missing, or the text is empty · `ENOTDIR` · `EACCES` ·
 * `EROFS` · `ENOSPC` · `ELOOP` · `ENAMETOOLONG` · `EOVERFLOW` the user namespace does not map the caller's ids · `TypeError`
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
