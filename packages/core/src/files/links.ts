import type { Buffer } from "node:buffer";
import { type AtFlag, atFlags } from "../addon/flags.generated.ts";
import { toBits } from "../addon/flags.ts";
import { native } from "../addon/native.ts";
import { options as checkOptions, integer } from "../arguments.ts";
import { type Encoding, textOrBytes } from "./encoding.ts";
import { type LocationLike, toAt } from "./location.ts";
import { type PathLike, pathText } from "./path.ts";

/** The length of a first answer. A longer target is read again. */
const USUAL_TARGET = 1024;
/** The target of a link is not longer than a page, which has 64 KiB at most. */
const LONGEST_TARGET = 65_536;

/**
 * Makes another name for a file: a hard link.
 *
 * The kernel does not follow a symbolic link at the end of `from`, unless `flags` has `"symlinkFollow"`: the `symlinks` of a
 * {@link Location} has no effect here.
 *
 * An open file gets a name if `from` is its descriptor, also one that was opened with `path` or made with `tmpfile`. The
 * caller needs CAP_DAC_READ_SEARCH in its user namespace, or, since Linux 6.10, the same credentials with which the file was
 * opened; otherwise the error is `ENOENT`. Without both, the path of the descriptor in `/proc` works, with `symlinkFollow`:
 * `/proc/self/fd/5`. A file whose last name was removed gets no new one.
 *
 * @param from - The file: a path, an open file, or a {@link Location}.
 * @param to - The new name: a path, or a {@link Location}. A link at its end is not followed.
 * @param options - `flags`: `AT_*` names in camelCase, or a number. linkat(2) knows `"symlinkFollow"` and `"emptyPath"`. The
 * `emptyPath` of a location with an empty path is added. Default: none.
 * @throws `EEXIST` `to` exists.
 * @throws `ENOENT` `from` does not exist, a directory on the way does not exist, or a path is empty.
 * @throws `ENOENT` `from` is a descriptor, and the caller has neither the capability nor the credentials for it.
 * @throws `EPERM` `from` is a directory, or the file system has no hard links.
 * @throws `EPERM` `from` is immutable or can only be appended to, or `fs.protected_hardlinks` forbids the link.
 * @throws `EXDEV` The two names are not on the same mount.
 * @throws `EMLINK` The file has as many names as the file system allows.
 * @throws `ENOTDIR` A component on the way is not a directory.
 * @throws `EACCES` A directory on the way may not be searched, or the last one may not be written to.
 * @throws `EINVAL` A flag is none of linkat(2).
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
 * await task.batch(() => {
 *   mount("scratch", "/tmp", "tmpfs");
 *   using file = openat2("/tmp", { flags: ["tmpfile", "rdwr"], mode: 0o600 });
 *   link(file, "/tmp/complete"); // the name appears when the file is complete
 * });
 * ```
 * @see linkat(2); for a descriptor see above, otherwise no privilege
 */
export function link(from: LocationLike, to: LocationLike, options?: { flags?: readonly AtFlag[] | number }): void {
	const bits = toBits(atFlags, checkOptions(options, ["flags"]).flags, "options.flags");
	integer(bits, "options.flags", 0, 2 ** 32 - 1);
	const [file, name] = [toAt(from, "from"), toAt(to, "to")];
	// Before Linux 6.10 the kernel refuses the flag without CAP_DAC_READ_SEARCH, also for a path that is not empty.
	const empty = file.path.length === 0 ? file.flags & atFlags.emptyPath : 0;
	const flags = (bits | empty) >>> 0;
	native().linkat(file.at, file.path, name.at, name.path, flags);
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
/**
 * Returns the target of a symbolic link: its text, which may lead nowhere.
 *
 * A target of any length is returned whole.
 *
 * @param at - The link: a path, a {@link Location}, or a descriptor of the link itself, opened with `path` and `nofollow`.
 * @param options - `encoding`: `"utf8"` returns a string, in which bytes that are not UTF-8 become U+FFFD; `"buffer"` returns
 * the bytes. Default: `"utf8"`.
 * @returns The target.
 * @throws `EINVAL` The file is not a symbolic link.
 * @throws `ENOENT` The link does not exist, or the path is empty and the descriptor is not that of a link.
 * @throws `ENOTDIR` A component on the way is not a directory.
 * @throws `EACCES` A directory on the way may not be searched.
 * @throws `ELOOP` A path has more than 40 symbolic links.
 * @throws `ENAMETOOLONG` A component has more than 255 bytes, or a path more than 4095.
 * @throws `EBADF` Other code has closed the number of the descriptor.
 * @throws `ERR_NEARFAR_CLOSED` A descriptor is closed.
 * @throws `ERR_NEARFAR_FD_TABLE_MISMATCH` A descriptor belongs to another table than the current task's.
 * @throws `ERR_NEARFAR_BATCH` A batch is being collected, and the call returns a value.
 * @throws `ERR_NEARFAR_TASK_GONE` The current task has executed a program, exited or died.
 * @throws `TypeError` An argument has the wrong type, the path holds a NUL byte, or the encoding is unknown.
 * @example
 * ```ts
 * console.log(readlink("/proc/self/ns/user")); // user:[4026531837]
 * ```
 * @see readlinkat(2); no privilege
 */
export function readlink(at: LocationLike, options?: { encoding?: "utf8" }): string;
export function readlink(at: LocationLike, options: { encoding: "buffer" }): Buffer;
export function readlink(at: LocationLike, options?: { encoding?: Encoding }): string | Buffer {
	const decode = textOrBytes(checkOptions(options, ["encoding"]).encoding);
	const place = toAt(at, "at");
	for (let length = USUAL_TARGET; ; length *= 2) {
		const target = native().readlinkat(place.at, place.path, length);
		// The kernel cuts a longer target off without saying so.
		if (target.length < length || length >= LONGEST_TARGET) return decode(target);
	}
}
