import type { Buffer } from "node:buffer";
import { native } from "../addon/native.ts";
import { options as checkOptions } from "../arguments.ts";
import { BatchError, NearfarError } from "../errors.ts";
import { currentBatch } from "../target/target.ts";
import { numberOf } from "./descriptor.ts";
import { type Encoding, textOrBytes } from "./encoding.ts";
import { type FileType, fileTypes } from "./file-type.ts";
import { openat2 } from "./files.ts";
import type { LocationLike } from "./location.ts";

/** The number of bytes that one call may return. A longer directory takes several calls. */
const PIECE = 32_768;
/** Where the fields of a `struct linux_dirent64` begin: d_ino is the first, then d_off, d_reclen, d_type, d_name. */
const [RECLEN, TYPE, NAME] = [16, 18, 19];
const SLASH = 0x2f;

/** One entry of a directory. */
export interface DirectoryEntry<Name extends string | Buffer = string> {
	/** The name, without the directory. */
	readonly name: Name;
	/** The type of the file. `undefined`: the file system does not say; {@link statx} does. */
	readonly type: FileType | undefined;
	/** The inode number. For a mount point, that of the directory below the mount. */
	readonly ino: bigint;
}

/**
 * Returns the entries of a directory, without `.` and `..`, in the order of the file system.
 *
 * The directory is opened for that and closed again, also where `at` is a descriptor: its offset stays, and it may have been
 * opened with `path`. What another process adds or removes meanwhile may be there or not.
 *
 * @param at - A path, an open directory, or a {@link Location}.
 * @param options - `encoding`: `"utf8"` returns names as strings, in which bytes that are not UTF-8 become U+FFFD, so that
 * such a file cannot be opened by its name; `"buffer"` returns the bytes. Default: `"utf8"`.
 * @returns The entries. Names in bytes are `Buffer`s.
 * @throws `ENOENT` The directory does not exist, or the path is empty.
 * @throws `ENOTDIR` The file is not a directory, or a component on the way is none.
 * @throws `EACCES` The directory may not be read, or one on the way may not be searched. A descriptor is a directory on the way.
 * @throws `ELOOP` The path has more than 40 symbolic links, or the location has `symlinks: false` and is a link.
 * @throws `ENAMETOOLONG` A component has more than 255 bytes, or the path more than 4095.
 * @throws `EMFILE` The task has reached its limit of descriptors.
 * @throws `ENFILE` The machine has reached its limit of open files.
 * @throws `ERR_NEARFAR_CLOSED` A descriptor is closed.
 * @throws `ERR_NEARFAR_FD_TABLE_MISMATCH` A descriptor belongs to another table than the current task's.
 * @throws `ERR_NEARFAR_BATCH` A batch is being collected, and the call returns a value.
 * @throws `ERR_NEARFAR_TASK_GONE` The current task has executed a program, exited or died.
 * @throws `ERR_NEARFAR_BROKEN_REPLY` The bytes are none of a directory: another process has got hold of the task.
 * @throws `TypeError` An argument has the wrong type, the path holds a NUL byte, or the encoding is unknown.
 * @example
 * ```ts
 * for (const { name, type } of readdir("/usr")) console.log(name, type); // bin directory …
 * ```
 * @see getdents64(2), openat2(2); no privilege
 */
export function readdir(at: LocationLike, options?: { encoding?: "utf8" }): DirectoryEntry[];
export function readdir(at: LocationLike, options: { encoding: "buffer" }): DirectoryEntry<Buffer>[];
export function readdir(at: LocationLike, options?: { encoding?: Encoding }): DirectoryEntry<string | Buffer>[] {
	const decode = textOrBytes(checkOptions(options, ["encoding"]).encoding);
	if (currentBatch()) {
		throw new BatchError("cannot read a directory in a batch: its entries are known only after the batch has run");
	}
	using directory = openat2(at, { flags: ["directory"] });
	const entries: DirectoryEntry<string | Buffer>[] = [];
	for (;;) {
		const bytes = native().getdents64(numberOf(directory), PIECE);
		if (bytes.length === 0) return entries;
		addEntries(entries, bytes, decode);
	}
}

/** Reads what getdents64(2) has written. In a task that another process has got hold of, the bytes may be any. */
function addEntries(
	entries: DirectoryEntry<string | Buffer>[],
	bytes: Buffer,
	decode: (name: Buffer) => string | Buffer,
): void {
	for (let at = 0; at < bytes.length; ) {
		const length = at + NAME < bytes.length ? bytes.readUInt16LE(at + RECLEN) : 0;
		const padded = bytes.subarray(at + NAME, at + length);
		const name = padded.subarray(0, Math.max(0, padded.indexOf(0)));
		if (name.length === 0 || name.includes(SLASH) || at + length > bytes.length) {
			throw new NearfarError("BROKEN_REPLY", "a task returned entries of a directory that no kernel returns");
		}
		if (!isDot(name)) {
			const type = fileTypes[bytes.readUInt8(at + TYPE)];
			entries.push({ name: decode(name), type, ino: bytes.readBigUInt64LE(at) });
		}
		at += length;
	}
}

/** True for the two names that every directory has: `.` and `..`. */
function isDot(name: Buffer): boolean {
	return name[0] === 0x2e && (name.length === 1 || (name.length === 2 && name[1] === 0x2e));
}
