import { toChoice } from "../addon/flags.ts";
import { native } from "../addon/native.ts";
import { options as checkOptions, integer, optionalBoolean, wrongType, wrongValue } from "../arguments.ts";
import { BatchError } from "../errors.ts";
import { currentBatch } from "../target/target.ts";
import { type DeviceNumber, type FileType, fileTypeNumbers } from "./file-type.ts";
import { type At, type LocationLike, toAt } from "./location.ts";
import { typeAt } from "./statx.ts";

const { fifo, socket, character, block, file } = fileTypeNumbers;
const nodeTypes = { fifo, socket, character, block, file };

/** A type of file that {@link mknod} makes. */
export type NodeType = Exclude<FileType, "directory" | "symlink">;

/**
 * Makes a directory, with `recursive` also the missing directories above it, as `mkdir -p` does.
 *
 * With `recursive` a directory that exists already is left as it is, and its mode too. Another process may make or remove
 * directories at the same time. A new directory above the last one has the mode 0o777, without the bits of the umask. The
 * directories that were made before a failure stay.
 *
 * @param at - The new directory: a path, or a {@link Location}. A link at its end is not followed, except that with
 * `recursive` a link to a directory is as good as a directory.
 * @param options - `mode`: permission bits of the last directory, 0 to 0o7777, without those of the umask. Default: 0o777.
 * `recursive`: whether directories above are made, default false.
 * @throws `EEXIST` The name is taken; with `recursive`, by a file that is not a directory.
 * @throws `ENOENT` A directory on the way does not exist, or the path is empty.
 * @throws `ENOTDIR` A component on the way is not a directory.
 * @throws `EACCES` A directory on the way may not be searched, or the last one may not be written to.
 * @throws `ELOOP` A path has more than 40 symbolic links.
 * @throws `ENAMETOOLONG` A component has more than 255 bytes, or a path more than 4095.
 * @throws `EMLINK` The directory above has as many directories as the file system allows.
 * @throws `EROFS` The file system is read-only.
 * @throws `ENOSPC` The device is full.
 * @throws `EDQUOT` The user's quota is used up.
 * @throws `EOVERFLOW` The user namespace does not map the caller's ids.
 * @throws `ERR_NEARFAR_CLOSED` A descriptor is closed.
 * @throws `ERR_NEARFAR_FD_TABLE_MISMATCH` A descriptor belongs to another table than the current task's.
 * @throws `ERR_NEARFAR_BATCH` A descriptor is made by another batch, which has not run yet.
 * @throws `ERR_NEARFAR_TASK_GONE` The current task has executed a program, exited or died.
 * @throws `ERR_NEARFAR_BATCH` `recursive` is asked for in a batch: which directories are missing is known only after the batch
 * has begun to run.
 * @throws `TypeError` An argument has the wrong type, or the path holds a NUL byte.
 * @throws `RangeError` The mode is out of its range.
 * @example
 * ```ts
 * await using task = await Task.clone({ namespaces: ["user", "mnt"], idMap: "root" });
 * task.run(() => {
 *   mount("scratch", "/tmp", "tmpfs");
 *   using tmp = openat2("/tmp", { flags: ["path", "directory"] });
 *   mkdir(new Location(tmp, "new"), { mode: 0o700 });
 *   mkdir(new Location(tmp, "new/a/b/c"), { recursive: true });
 * });
 * ```
 * @see mkdirat(2); no privilege
 */
export function mkdir(at: LocationLike, options?: { mode?: number; recursive?: boolean }): void {
	const { mode = 0o777, recursive } = checkOptions(options, ["mode", "recursive"]);
	const bits = integer(mode, "options.mode", 0, 0o7777);
	const place = toAt(at, "at");
	if (!optionalBoolean(recursive, "options.recursive")) {
		native().mkdirat(place.at, place.path, bits);
		return;
	}
	if (currentBatch()) {
		throw new BatchError(
			"cannot make directories recursively in a batch: which of them are missing is known only later; call mkdir before the batch, or for each directory that is missing",
		);
	}
	makeAll(place, bits);
}

/** Makes a directory and the missing ones above it. */
function makeAll(place: At, mode: number): void {
	const missing = makeUnlessThere(place, mode);
	if (!missing) return;
	const above = parentOf(place.path);
	if (above === undefined) throw missing;
	makeAll({ ...place, path: above }, 0o777);
	const removed = makeUnlessThere(place, mode);
	if (removed) throw removed;
}

/** Makes one directory, unless it exists. Returns the error if a directory on the way is missing. */
function makeUnlessThere(place: At, mode: number): Error | undefined {
	try {
		native().mkdirat(place.at, place.path, mode);
		return undefined;
	} catch (error) {
		const { code } = error as NodeJS.ErrnoException;
		if (code === "ENOENT") return error as Error;
		if (code !== "EEXIST") throw error;
		const type = typeAt(place);
		if (type === "directory") return undefined;
		if (type === undefined) return error as Error; // another process has removed the file, or a link leads nowhere
		throw error;
	}
}

/** Returns the path without its last component. `undefined`: nothing is left, or the root alone. */
function parentOf(path: string | Uint8Array): string | Uint8Array | undefined {
	if (typeof path !== "string") {
		// Latin-1 maps each byte to one character and back.
		const above = parentOf(Buffer.from(path).toString("latin1"));
		return above === undefined ? undefined : Buffer.from(above as string, "latin1");
	}
	return /^(.*[^/])\/+[^/]+\/*$/s.exec(path)?.[1];
}

/**
 * Makes a file of a type that is opened by its name: a FIFO, a socket, a device, or an empty regular file.
 *
 * The device 0:0 of the type `"character"` is a whiteout of an overlay, which needs no privilege. A device that was made in a
 * user namespace, or lies on a mount with `nodev`, cannot be opened.
 *
 * @param at - The new file: a path, or a {@link Location}. A link at its end is not followed.
 * @param type - `"fifo"`, `"socket"`, `"character"`, `"block"` or `"file"`.
 * @param options - `mode`: permission bits, 0 to 0o7777, without those of the umask, default 0o666. `device`: the device that
 * a `"character"` or `"block"` file stands for, `major` from 0 to 4095 and `minor` from 0 to 1048575; required for these
 * two types and refused for others.
 * @throws `EEXIST` The name is taken.
 * @throws `EPERM` `type` is a device, and the caller has no CAP_MKNOD in the initial user namespace.
 * @throws `EPERM` The file system has no files of this type.
 * @throws `ENOENT` A directory on the way does not exist, or the path is empty.
 * @throws `ENOTDIR` A component on the way is not a directory.
 * @throws `EACCES` A directory on the way may not be searched, or the last one may not be written to.
 * @throws `ELOOP` A path has more than 40 symbolic links.
 * @throws `ENAMETOOLONG` A component has more than 255 bytes, or a path more than 4095.
 * @throws `EROFS` The file system is read-only.
 * @throws `ENOSPC` The device is full.
 * @throws `EDQUOT` The user's quota is used up.
 * @throws `EOVERFLOW` The user namespace does not map the caller's ids.
 * @throws `ERR_NEARFAR_CLOSED` A descriptor is closed.
 * @throws `ERR_NEARFAR_FD_TABLE_MISMATCH` A descriptor belongs to another table than the current task's.
 * @throws `ERR_NEARFAR_BATCH` A descriptor is made by another batch, which has not run yet.
 * @throws `ERR_NEARFAR_TASK_GONE` The current task has executed a program, exited or died.
 * @throws `TypeError` An argument has the wrong type, the path holds a NUL byte, or `device` does not fit the type.
 * @throws `RangeError` A number is out of its range.
 * @example
 * ```ts
 * await using task = await Task.clone({ namespaces: ["user", "mnt"], idMap: "root" });
 * await task.batch(() => {
 *   mount("scratch", "/tmp", "tmpfs");
 *   mknod("/tmp/requests", "fifo", { mode: 0o600 });
 *   mknod("/tmp/hidden", "character", { device: { major: 0, minor: 0 } });
 * });
 * ```
 * @see mknodat(2); for devices other than 0:0 CAP_MKNOD
 */
export function mknod(at: LocationLike, type: NodeType, options?: { mode?: number; device?: DeviceNumber }): void {
	const { mode = 0o666, device } = checkOptions(options, ["mode", "device"]);
	const kind = toChoice(nodeTypes, type, "type");
	const bits = integer(mode, "options.mode", 0, 0o7777);
	const { major, minor } = deviceOf(type, device);
	const place = toAt(at, "at");
	native().mknodat(place.at, place.path, (kind << 12) | bits, major, minor);
}

/** Checks the device of a new file. A file that stands for none has 0:0. */
function deviceOf(type: NodeType, device: DeviceNumber | undefined): DeviceNumber {
	const isDevice = type === "character" || type === "block";
	if (!isDevice && device !== undefined) throw wrongValue("options.device", `undefined for a ${type}`, device);
	if (!isDevice) return { major: 0, minor: 0 };
	if (typeof device !== "object" || device === null) throw wrongType("options.device", "{ major, minor }", device);
	return {
		major: integer(device.major, "options.device.major", 0, 2 ** 12 - 1),
		minor: integer(device.minor, "options.device.minor", 0, 2 ** 20 - 1),
	};
}
