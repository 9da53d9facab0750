import { type LocationLike, SyscallError, statx } from "@nearfar/core";
import {
	options as checkOptions,
	currentBatch,
	id,
	native,
	optionalBoolean,
	taskOf,
	toAt,
	wrongType,
	wrongValue,
} from "@nearfar/core/internal";
import { type Caps, toCapabilityBits } from "./capability-set.ts";
import { parseCapabilities } from "./capability-text.ts";
import { decodeValue, encodeValue, type FileCapabilities, LONGEST_VALUE } from "./file-capability-value.ts";

const ATTRIBUTE = "security.capability";
const EINVAL = 22;

/** Capabilities that {@link fileCapabilities} writes. An object that it has read may be written too: the `version` is ignored. */
export interface NewFileCapabilities {
	/** The capabilities that the program gets, as far as its bounding set has them. Default: none. */
	permitted?: Caps;
	/** The capabilities that the program gets if they are inheritable already in the process that executes it. Default: none. */
	inheritable?: Caps;
	/** Whether what the program gets is effective at once. Default: true if `permitted` or `inheritable` is not empty. */
	effective?: boolean;
	/**
	 * The user id, as the current task counts, that is user 0 in the user namespaces in which the program gets the capabilities:
	 * 0 to 4294967294. Default: user 0 of the current task's user namespace.
	 */
	rootId?: number | undefined;
}

/**
 * The capabilities that a program gets when it is executed from a file, as getcap(8) and setcap(8) read and write them.
 *
 * @example
 * ```ts
 * await using task = await Task.clone({ namespaces: ["user", "mnt"], idMap: "root" });
 * await task.batch(() => mount("scratch", "/tmp", "tmpfs"));
 * task.run(() => {
 *   openat2("/tmp/server", { flags: ["creat", "wronly"], mode: 0o755 }).close();
 *   fileCapabilities.write("/tmp/server", "cap_net_bind_service=ep");
 *   console.log(`${fileCapabilities.read("/tmp/server")?.permitted}`); // netBindService
 *   console.log(fileCapabilities.remove("/tmp/server"), fileCapabilities.read("/tmp/server")); // true undefined
 * });
 * ```
 * @see capabilities(7), "File capabilities"
 */
export const fileCapabilities = {
	/**
	 * Reads the capabilities of a file.
	 *
	 * A program does not always get what its file has. On a mount with `nosuid` the kernel ignores the capabilities of files. With
	 * no_new_privs set, or under a tracer without CAP_SYS_PTRACE, the program gets no more than the process had before. execve(2) fails
	 * with `EPERM` if `effective` is true and the bounding set lacks a capability of `permitted`.
	 *
	 * @param file - A path, whose link at the end is followed; an open file; or a `Location`. With `symlinks: false` a link itself
	 * is meant, which has no capabilities.
	 * @returns The capabilities; `undefined` if the file has none.
	 * @throws `EOVERFLOW` The file has capabilities in other user namespaces only, and their user 0 is not mapped in this one.
	 * @throws `EINVAL` The bytes on the disk are of no version that the kernel knows.
	 * @throws `EOPNOTSUPP` The file system has no extended attributes, as that of `/proc`.
	 * @throws `EBADF` The descriptor was opened with `path`, or other code has closed its number.
	 * @throws `ENOSYS` The location begins at an open directory, and the kernel is older than Linux 6.13.
	 * @throws `ENOENT` The file does not exist, or the path is empty.
	 * @throws `ENOTDIR` A component on the way is not a directory.
	 * @throws `EACCES` A directory on the way may not be searched.
	 * @throws `ELOOP` The path has more than 40 symbolic links.
	 * @throws `ENAMETOOLONG` A component has more than 255 bytes, or the path more than 4095.
	 * @throws `ERR_NEARFAR_BATCH` A batch is being collected, which has no value to return yet.
	 * @throws `ERR_NEARFAR_CLOSED` A descriptor is closed.
	 * @throws `ERR_NEARFAR_FD_TABLE_MISMATCH` A descriptor belongs to another table than the current task's.
	 * @throws `ERR_NEARFAR_TASK_GONE` The current task has executed a program, exited or died.
	 * @throws `TypeError` `file` is no location, or its path holds a NUL byte.
	 * @example
	 * ```ts
	 * const capabilities = fileCapabilities.read("/bin/sh");
	 * console.log(capabilities); // undefined
	 * ```
	 * @see getxattr(2), lgetxattr(2), fgetxattr(2); getxattrat(2), Linux 6.13; no privilege
	 */
	read(file: LocationLike): FileCapabilities | undefined {
		const { at, path, flags } = toAt(file, "file");
		const bytes = unlessMissing(() => native().getxattr(at, path, flags, ATTRIBUTE, LONGEST_VALUE));
		if (bytes === undefined) return undefined;
		const capabilities = decodeValue(bytes);
		if (capabilities === undefined) throw invalid("getxattr", at, path, "the bytes are of no known version");
		return capabilities;
	},

	/**
	 * Replaces the capabilities of a file.
	 *
	 * Both sets may be empty, which is not the same as no capabilities: a set-user-id program of user 0 then gets no capability from
	 * another user's execve(2). The kernel removes the capabilities of a file when the file is written, truncated or changes its owner,
	 * and keeps them when the file changes its mode.
	 *
	 * In a user namespace, on a file system that was mounted outside, the kernel stores version 3 in place of version 2, with the id
	 * of that namespace's user 0. Capabilities that the kernel does not have are stored, and give nothing.
	 *
	 * A batch does not ask statx(2) whether the file is a regular one: the kernel then takes other files as well, to no effect.
	 *
	 * @param file - A path, whose link at the end is followed; an open file; or a `Location`. The file has to be a regular one.
	 * @param caps - The sets, each default empty; `effective`, default true if a set is not empty; `rootId`, 0 to 4294967294, default
	 * none. Or what `read` has returned for another file. Or a text as setcap(8) takes it, such as `"cap_net_raw=ep"`.
	 * @throws `EPERM` The caller has no CAP_SETFCAP over the file. To own the file is not enough.
	 * @throws `EPERM` The file is immutable or can only be appended to.
	 * @throws `EINVAL` The file is not a regular one.
	 * @throws `EINVAL` The user namespace does not map the root id.
	 * @throws `EOPNOTSUPP` The file system has no extended attributes, as that of `/proc`.
	 * @throws `EROFS` The file system is read-only.
	 * @throws `ENOSPC` The file system has no room for the attribute.
	 * @throws `EDQUOT` The quota of the file's owner is used up.
	 * @throws `EBADF` The descriptor was opened with `path`, or other code has closed its number.
	 * @throws `ENOSYS` The location begins at an open directory, and the kernel is older than Linux 6.13.
	 * @throws `ENOENT` The file does not exist, or the path is empty.
	 * @throws `ENOTDIR` A component on the way is not a directory.
	 * @throws `EACCES` A directory on the way may not be searched.
	 * @throws `ELOOP` The path has more than 40 symbolic links.
	 * @throws `ENAMETOOLONG` A component has more than 255 bytes, or the path more than 4095.
	 * @throws `ERR_NEARFAR_CLOSED` A descriptor is closed.
	 * @throws `ERR_NEARFAR_FD_TABLE_MISMATCH` A descriptor belongs to another table than the current task's.
	 * @throws `ERR_NEARFAR_BATCH` A descriptor is made by another batch, which has not run yet.
	 * @throws `ERR_NEARFAR_TASK_GONE` The current task has executed a program, exited or died.
	 * @throws `TypeError` `file` is no location, its path holds a NUL byte, or `caps` is neither an object nor a text.
	 * @throws `TypeError` A name is no capability, or `caps` has an unknown option.
	 * @throws `TypeError` The text is not one of libcap, or makes a part of the capabilities effective.
	 * @throws `RangeError` A number of a capability, the bits or the root id are out of their range.
	 * @example
	 * ```ts
	 * await using task = await Task.clone({ namespaces: ["user", "mnt"], idMap: "root" });
	 * await task.batch(() => {
	 *   mount("scratch", "/tmp", "tmpfs");
	 *   using file = openat2("/tmp/ping", { flags: ["creat", "wronly"], mode: 0o755 });
	 *   fileCapabilities.write(file, { permitted: ["netRaw"] });
	 * });
	 * ```
	 * @see setxattr(2), lsetxattr(2), fsetxattr(2), Linux 2.6.24, version 3 since 4.14; setxattrat(2), Linux 6.13; CAP_SETFCAP over
	 * the user namespace that maps the owner and the group of the file
	 */
	write(file: LocationLike, caps: NewFileCapabilities | string): void {
		const { at, path, flags } = toAt(file, "file");
		const value = encodeValue(typeof caps === "string" ? fromText(caps) : fromObject(caps));
		if (!currentBatch() && statx(file, { mask: ["type"] }).type !== "file") {
			throw invalid("setxattr", at, path, "not a regular file");
		}
		native().setxattr(at, path, flags, ATTRIBUTE, value);
	},

	/**
	 * Removes the capabilities of a file.
	 *
	 * @param file - A path, whose link at the end is followed; an open file; or a `Location`. With `symlinks: false` a link itself
	 * is meant.
	 * @returns `true` if the file had capabilities.
	 * @throws `EPERM` The caller has no CAP_SETFCAP over the file. To own the file is not enough.
	 * @throws `EPERM` The file is immutable or can only be appended to.
	 * @throws `EOPNOTSUPP` The file system has no extended attributes, as that of `/proc`.
	 * @throws `EROFS` The file system is read-only.
	 * @throws `EBADF` The descriptor was opened with `path`, or other code has closed its number.
	 * @throws `ENOSYS` The location begins at an open directory, and the kernel is older than Linux 6.13.
	 * @throws `ENOENT` The file does not exist, or the path is empty.
	 * @throws `ENOTDIR` A component on the way is not a directory.
	 * @throws `EACCES` A directory on the way may not be searched.
	 * @throws `ELOOP` The path has more than 40 symbolic links.
	 * @throws `ENAMETOOLONG` A component has more than 255 bytes, or the path more than 4095.
	 * @throws `ERR_NEARFAR_BATCH` A batch is being collected, which has no value to return yet.
	 * @throws `ERR_NEARFAR_CLOSED` A descriptor is closed.
	 * @throws `ERR_NEARFAR_FD_TABLE_MISMATCH` A descriptor belongs to another table than the current task's.
	 * @throws `ERR_NEARFAR_TASK_GONE` The current task has executed a program, exited or died.
	 * @throws `TypeError` `file` is no location, or its path holds a NUL byte.
	 * @example
	 * ```ts
	 * await using task = await Task.clone({ namespaces: ["user", "mnt"], idMap: "root" });
	 * await task.batch(() => {
	 *   mount("scratch", "/tmp", "tmpfs");
	 *   openat2("/tmp/ping", { flags: ["creat", "wronly"], mode: 0o755 }).close();
	 * });
	 * console.log(task.run(() => fileCapabilities.remove("/tmp/ping"))); // false
	 * ```
	 * @see removexattr(2), lremovexattr(2), fremovexattr(2), Linux 2.6.24; removexattrat(2), Linux 6.13; CAP_SETFCAP as for writing
	 */
	remove(file: LocationLike): boolean {
		const { at, path, flags } = toAt(file, "file");
		const removed = unlessMissing(() => {
			native().removexattr(at, path, flags, ATTRIBUTE);
			return true;
		});
		return removed ?? false;
	},
};

/** Calls `fn`. Returns `undefined` if the file does not have the attribute. */
function unlessMissing<T>(fn: () => T): T | undefined {
	try {
		return fn();
	} catch (error) {
		if (error instanceof SyscallError && error.code === "ENODATA") return undefined;
		throw error;
	}
}

function fromObject(caps: NewFileCapabilities): Parameters<typeof encodeValue>[0] {
	if (caps === undefined) throw wrongType("caps", "an object or a string", caps);
	const wanted = checkOptions(caps, ["permitted", "inheritable", "effective", "rootId"], "caps", ["version"]);
	const { permitted = 0n, inheritable = 0n, effective, rootId } = wanted;
	const [given, kept] = [
		toCapabilityBits(permitted, "caps.permitted"),
		toCapabilityBits(inheritable, "caps.inheritable"),
	];
	return {
		permitted: given,
		inheritable: kept,
		effective: optionalBoolean(effective, "caps.effective") ?? (given | kept) !== 0n,
		rootId: rootId === undefined ? undefined : id(rootId, "caps.rootId"),
	};
}

/** Returns what a text of libcap writes to a file, which has one bit in place of the effective set. */
function fromText(text: string): Parameters<typeof encodeValue>[0] {
	const { permitted, inheritable, effective } = parseCapabilities(text);
	const all = permitted.bits | inheritable.bits;
	if (effective.bits !== 0n && effective.bits !== all) {
		throw wrongValue("caps", "a text in which all permitted and inheritable capabilities are effective, or none", text);
	}
	return {
		permitted: permitted.bits,
		inheritable: inheritable.bits,
		effective: effective.bits !== 0n,
		rootId: undefined,
	};
}

/** Returns the error for a file that the call cannot be made for, as the kernel's own for bytes that it does not understand. */
function invalid(syscall: string, at: number, path: string | Uint8Array, words: string): SyscallError {
	const about = path.length === 0 ? { object: `fd ${at}` } : {};
	const named = path.length === 0 ? {} : { path: Buffer.from(path as Uint8Array).toString() };
	return new SyscallError({ code: "EINVAL", errno: EINVAL, syscall, words, ...about }, { ...named, ...taskOf() });
}
