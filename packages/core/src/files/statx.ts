import type { Buffer } from "node:buffer";
import {
	type AtFlag,
	atFlags,
	type StatxAttribute,
	type StatxField,
	statxAttributes,
	statxMask,
} from "../addon/flags.generated.ts";
import { toBits } from "../addon/flags.ts";
import { native } from "../addon/native.ts";
import { options as checkOptions, integer } from "../arguments.ts";
import { SyscallError } from "../syscall-error.ts";
import { type DeviceNumber, type FileType, fileTypes } from "./file-type.ts";
import { type At, type LocationLike, toAt } from "./location.ts";

/** How {@link statx} looks at a file, and what to ask for. */
export interface StatxOptions {
	/** `AT_*` names in camelCase, or a number. The flags of a `Location` are added. Default: none; links are followed. */
	flags?: readonly AtFlag[] | number;
	/** The fields to ask for: `STATX_*` names in camelCase, or a number. Default: all. */
	mask?: readonly StatxField[] | number;
}

/**
 * The status of a file, as the kernel has filled it in.
 *
 * A field that the kernel did not fill is `undefined`, never 0. Times are in nanoseconds since 1970.
 */
export interface Statx {
	/** The fields that the kernel has filled, as `STATX_*` bits. */
	readonly mask: number;
	/** The type of the file. */
	readonly type: FileType | undefined;
	/** Permission bits, 0 to 0o7777. */
	readonly mode: number | undefined;
	/** Number of hard links. */
	readonly nlink: number | undefined;
	/** User id of the owner. */
	readonly uid: number | undefined;
	/** Group id of the owner. */
	readonly gid: number | undefined;
	/** Inode number. */
	readonly ino: bigint | undefined;
	/** Size in bytes. */
	readonly size: bigint | undefined;
	/** Number of allocated blocks of 512 bytes. */
	readonly blocks: bigint | undefined;
	/** Block size for efficient I/O, in bytes. */
	readonly blksize: number;
	/** Time of the last access. */
	readonly atimeNs: bigint | undefined;
	/** Time of creation. */
	readonly btimeNs: bigint | undefined;
	/** Time of the last change of the status, that is of these fields. */
	readonly ctimeNs: bigint | undefined;
	/** Time of the last change of the content. */
	readonly mtimeNs: bigint | undefined;
	/** The device that the file lies on. */
	readonly dev: DeviceNumber;
	/** The device that a `"block"` or `"character"` file stands for. */
	readonly rdev: DeviceNumber | undefined;
	/** Id of the mount, as in `/proc/self/mountinfo`. The kernel uses the id again after the mount has gone. */
	readonly mountId: number | undefined;
	/** Id of the mount, as in listmount(2). The kernel never uses the id again. */
	readonly mountIdUnique: bigint | undefined;
	/** Alignment of memory for direct I/O, in bytes. 0: the file has no direct I/O. */
	readonly dioMemAlign: number | undefined;
	/** Alignment of offsets and lengths for direct I/O, in bytes. 0: the file has no direct I/O. */
	readonly dioOffsetAlign: number | undefined;
	/** Alignment of offsets and lengths for direct reads, in bytes. 0: the same as `dioOffsetAlign`. */
	readonly dioReadOffsetAlign: number | undefined;
	/** Id of the subvolume, on btrfs and bcachefs. */
	readonly subvol: bigint | undefined;
	/** Smallest atomic write, in bytes. 0: the file has no atomic writes. */
	readonly atomicWriteUnitMin: number | undefined;
	/** Largest atomic write, in bytes. */
	readonly atomicWriteUnitMax: number | undefined;
	/** Largest atomic write that is as fast as a smaller one, in bytes. `undefined`: the kernel names none (Linux 6.16). */
	readonly atomicWriteUnitMaxOpt: number | undefined;
	/** Most buffers that one atomic write may gather. */
	readonly atomicWriteSegmentsMax: number | undefined;
	/** True or false for each attribute. `undefined`: this kernel or file system does not know the attribute. */
	readonly attributes: Readonly<Record<StatxAttribute, boolean | undefined>>;
}

/**
 * Returns the status of a file, with its mount, its attributes and its alignments.
 *
 * The kernel has one field for both ids of a mount. If the mask has both, as by default, the function makes the call twice:
 * open the file first and pass the descriptor if another process may replace the path in between.
 *
 * @param at - A path, whose link at the end is followed; an open file of any kind; or a {@link Location}, whose flags are
 * added.
 * @param options - `flags`, such as `"symlinkNofollow"` and `"statxDontSync"`, default none; `mask`, default everything.
 * @returns The status. The kernel may fill more fields than the mask has, and leaves out what the file system lacks.
 * @throws `ENOENT` The file does not exist, or the path is empty.
 * @throws `ENOTDIR` A component on the way is not a directory.
 * @throws `EACCES` A directory on the way may not be searched.
 * @throws `ELOOP` The path has more than 40 symbolic links.
 * @throws `ENAMETOOLONG` A component has more than 255 bytes, or the path more than 4095.
 * @throws `EINVAL` Flags contradict each other, the kernel does not know one, or the mask has the reserved bit.
 * @throws `EBADF` Other code has closed the number of the descriptor.
 * @throws `ENOSYS` The kernel, or a seccomp filter, has no statx(2).
 * @throws `ERR_NEARFAR_CLOSED` The descriptor is closed.
 * @throws `ERR_NEARFAR_FD_TABLE_MISMATCH` The descriptor belongs to another table than the current task's.
 * @throws `ERR_NEARFAR_BATCH` A batch is being collected, and the call returns a value.
 * @throws `ERR_NEARFAR_TASK_GONE` The current task has executed a program, exited or died.
 * @throws `TypeError` An argument has the wrong type, a path holds a NUL byte, or a name is no flag.
 * @throws `RangeError` A number is out of its range.
 * @example
 * ```ts
 * const { type, mountId, attributes } = statx("/proc");
 * console.log(type, mountId, attributes.mountRoot); // directory 17 true
 * ```
 * @see statx(2), Linux 4.11; no privilege
 */
export function statx(at: LocationLike, options?: StatxOptions): Statx {
	const { flags, mask } = checkOptions(options, ["flags", "mask"]);
	const asked = mask === undefined ? everything() : toWord(toBits(statxMask, mask, "options.mask"), "options.mask");
	const place = toAt(at, "at");
	const how = (toWord(toBits(atFlags, flags, "options.flags"), "options.flags") | place.flags) >>> 0;
	const makeCall = (mask: number) => native().statx(place.at, place.path, how, mask);
	const bytes = makeCall(asked);
	// Before Linux 6.8 the kernel knows no unique ids, and has filled the field with the other id already.
	const both = asked & statxMask.mntId && bytes.readUInt32LE(0) & statxMask.mntIdUnique;
	const second = both ? makeCall(statxMask.mntId) : undefined;
	return decode(bytes, second && isSameFile(bytes, second) ? second : bytes);
}

/** Returns the type of a file, of the target for a link. `undefined`: the kernel finds nothing there. */
export function typeAt(place: At): FileType | undefined {
	try {
		return decode(native().statx(place.at, place.path, 0, statxMask.type)).type;
	} catch (error) {
		if (error instanceof SyscallError) return undefined;
		throw error;
	}
}

let allFields: number | undefined;

function everything(): number {
	allFields ??= Object.values(statxMask).reduce((sum, bit) => sum | bit, 0);
	return allFields;
}

function toWord(bits: number, name: string): number {
	return integer(bits, name, 0, 2 ** 32 - 1);
}

/** True when both structs have the same inode number and device. */
function isSameFile(one: Buffer, other: Buffer): boolean {
	return [32, 136].every((at) => one.readBigUInt64LE(at) === other.readBigUInt64LE(at));
}

/**
 * Decodes a `struct statx`.
 *
 * @param withMountId - The struct to read `mountId` from, if `bytes` has the unique id in that field.
 */
function decode(bytes: Buffer, withMountId = bytes): Statx {
	const mask = (bytes.readUInt32LE(0) | withMountId.readUInt32LE(0)) >>> 0;
	const u32 = (at: number) => bytes.readUInt32LE(at);
	const u64 = (at: number) => bytes.readBigUInt64LE(at);
	const time = (at: number) => bytes.readBigInt64LE(at) * 1_000_000_000n + BigInt(u32(at + 8));
	const device = (at: number) => ({ major: u32(at), minor: u32(at + 4) });
	const has = <T>(field: StatxField, read: (at: number) => T, at: number) =>
		mask & statxMask[field] ? read(at) : undefined;
	const mode = bytes.readUInt16LE(28);
	const type = has("type", () => fileTypes[mode >> 12], 28);
	return {
		mask,
		type,
		mode: has("mode", () => mode & 0o7777, 28),
		nlink: has("nlink", u32, 16),
		uid: has("uid", u32, 20),
		gid: has("gid", u32, 24),
		ino: has("ino", u64, 32),
		size: has("size", u64, 40),
		blocks: has("blocks", u64, 48),
		blksize: u32(4),
		atimeNs: has("atime", time, 64),
		btimeNs: has("btime", time, 80),
		ctimeNs: has("ctime", time, 96),
		mtimeNs: has("mtime", time, 112),
		dev: device(136),
		rdev: type === "block" || type === "character" ? device(128) : undefined,
		mountId: withMountId.readUInt32LE(0) & statxMask.mntId ? withMountId.readUInt32LE(144) : undefined,
		mountIdUnique: has("mntIdUnique", u64, 144),
		dioMemAlign: has("dioalign", u32, 152),
		dioOffsetAlign: has("dioalign", u32, 156),
		dioReadOffsetAlign: has("dioReadAlign", u32, 180),
		subvol: has("subvol", u64, 160),
		atomicWriteUnitMin: has("writeAtomic", u32, 168),
		atomicWriteUnitMax: has("writeAtomic", u32, 172),
		// The mask has no bit for this field. A kernel that does not know the field leaves 0 in it.
		atomicWriteUnitMaxOpt: has("writeAtomic", u32, 184) || undefined,
		atomicWriteSegmentsMax: has("writeAtomic", u32, 176),
		attributes: attributesOf(u64(8), u64(56)),
	};
}

function attributesOf(values: bigint, known: bigint): Statx["attributes"] {
	const names = Object.entries(statxAttributes).map(([name, number]) => {
		const bit = BigInt(number);
		return [name, known & bit ? (values & bit) !== 0n : undefined];
	});
	return Object.fromEntries(names);
}
