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
import { type LocationLike, toAt } from "./location.ts";

/** How {@link statx} looks. */
export interface StatxOptions {
	/** `AT_*` names in camelCase, or a number; those of a `Location` are added. Default: none, links are followed. */
	flags?: readonly AtFlag[] | number;
	/** `STATX_*` names in camelCase, or a number: what to ask for. Default: everything. */
	mask?: readonly StatxField[] | number;
}

/** What kind of file it is. */
export type FileType = "file" | "directory" | "symlink" | "block" | "character" | "fifo" | "socket";

/** Numbers of a device. */
export interface DeviceNumber {
	/** Which driver. */
	readonly major: number;
	/** Which of its devices. */
	readonly minor: number;
}

/** What the kernel knows of a file. What it did not fill is `undefined`, never 0; times are in nanoseconds since 1970. */
export interface Statx {
	/** What was filled, `STATX_*` bits. */
	readonly mask: number;
	/** What kind of file it is. */
	readonly type: FileType | undefined;
	/** Permission bits, 0 to 0o7777. */
	readonly mode: number | undefined;
	/** Number of hard links. */
	readonly nlink: number | undefined;
	/** User it belongs to. */
	readonly uid: number | undefined;
	/** Group it belongs to. */
	readonly gid: number | undefined;
	/** Inode number. */
	readonly ino: bigint | undefined;
	/** Bytes. */
	readonly size: bigint | undefined;
	/** Blocks of 512 bytes that are allocated. */
	readonly blocks: bigint | undefined;
	/** Bytes that are best read and written at once. */
	readonly blksize: number;
	/** Last access. */
	readonly atimeNs: bigint | undefined;
	/** Creation. */
	readonly btimeNs: bigint | undefined;
	/** Last change of what is told here. */
	readonly ctimeNs: bigint | undefined;
	/** Last change of the content. */
	readonly mtimeNs: bigint | undefined;
	/** Device that the file is on. */
	readonly dev: DeviceNumber;
	/** Device that the file stands for, where it is a `"block"` or `"character"` device. */
	readonly rdev: DeviceNumber | undefined;
	/** Id of its mount, as in `/proc/self/mountinfo`: used again when the mount is gone. */
	readonly mountId: number | undefined;
	/** Id of its mount that is never used again, as listmount(2) has it. */
	readonly mountIdUnique: bigint | undefined;
	/** Alignment of memory for direct I/O, in bytes; 0: not possible with this file. */
	readonly dioMemAlign: number | undefined;
	/** Alignment of offsets and lengths for direct I/O, in bytes; 0: not possible with this file. */
	readonly dioOffsetAlign: number | undefined;
	/** The same for reading alone, where it differs; 0: as `dioOffsetAlign`. */
	readonly dioReadOffsetAlign: number | undefined;
	/** Subvolume that it is in, of btrfs and bcachefs. */
	readonly subvol: bigint | undefined;
	/** Smallest atomic write, in bytes; 0: not possible with this file. */
	readonly atomicWriteUnitMin: number | undefined;
	/** Largest atomic write, in bytes. */
	readonly atomicWriteUnitMax: number | undefined;
	/** Largest atomic write that is not slower for it, in bytes; `undefined` where the kernel says none (Linux 6.16). */
	readonly atomicWriteUnitMaxOpt: number | undefined;
	/** Buffers that one atomic write may be gathered from. */
	readonly atomicWriteSegmentsMax: number | undefined;
	/** Each true, false, or `undefined` where this kernel or file system does not know it. */
	readonly attributes: Readonly<Record<StatxAttribute, boolean | undefined>>;
}

const types: Readonly<Record<number, FileType>> = {
	1: "fifo",
	2: "character",
	4: "directory",
	6: "block",
	8: "file",
	10: "symlink",
	12: "socket",
};

/**
 * Tells what the kernel knows of a file: with its mount, its attributes and its alignments, and what of that it knows.
 *
 * The two ids of a mount have one field in the kernel: where both are asked for, as by default, it is looked twice. Open
 * the file and pass the descriptor where somebody else may change the path meanwhile.
 *
 * @param at - A path, whose link at the end is followed, an open file of any kind, or a {@link Location}, whose flags are
 * added.
 * @param options - `flags`, such as `"symlinkNofollow"` and `"statxDontSync"`; `mask`: what to ask for.
 * @returns The kernel may fill more than was asked for, and fills less where the file system has no such thing.
 * @throws `ENOENT` · `ENOTDIR` · `EACCES` a directory on the way may not be searched · `ELOOP` · `ENAMETOOLONG` ·
 * `EINVAL` flags that contradict each other or that statx does not know, the reserved bit of the mask · `EBADF` ·
 * `ENOSYS` · `ClosedError`, `FDTableMismatchError` · `BatchError` in a batch · `TaskGoneError` · `TypeError`, `RangeError`
 * @example
 * ```ts
 * const { type, mountId, attributes } = statx("/proc");
 * console.log(type, mountId, attributes.mountRoot); // directory 17 true
 * ```
 * @see statx(2), Linux 4.11; no privilege
 */
export function statx(at: LocationLike, options?: StatxOptions): Statx {
	const { flags, mask } = checkOptions(options);
	const asked = mask === undefined ? everything() : word(toBits(statxMask, mask, "options.mask"), "options.mask");
	const place = toAt(at, "at");
	const how = (word(toBits(atFlags, flags, "options.flags"), "options.flags") | place.flags) >>> 0;
	const look = (mask: number) => native().statx(place.at, place.path, how, mask);
	const bytes = look(asked);
	// A kernel that knows no unique ids has answered with the other one.
	const both = asked & statxMask.mntId && bytes.readUInt32LE(0) & statxMask.mntIdUnique;
	const other = both ? look(statxMask.mntId) : undefined;
	return decode(bytes, other && isSame(bytes, other) ? other : bytes);
}

let all: number | undefined;

function everything(): number {
	all ??= Object.values(statxMask).reduce((sum, bit) => sum | bit, 0);
	return all;
}

function word(bits: number, name: string): number {
	return integer(bits, name, 0, 2 ** 32 - 1);
}

/** The same inode of the same device. */
function isSame(one: Buffer, other: Buffer): boolean {
	return [32, 136].every((at) => one.readBigUInt64LE(at) === other.readBigUInt64LE(at));
}

/** Reads a `struct statx`; the id of a mount that is used again may be in another one. */
function decode(bytes: Buffer, other: Buffer): Statx {
	const mask = (bytes.readUInt32LE(0) | other.readUInt32LE(0)) >>> 0;
	const u32 = (at: number) => bytes.readUInt32LE(at);
	const u64 = (at: number) => bytes.readBigUInt64LE(at);
	const time = (at: number) => bytes.readBigInt64LE(at) * 1_000_000_000n + BigInt(u32(at + 8));
	const device = (at: number) => ({ major: u32(at), minor: u32(at + 4) });
	const has = <T>(field: StatxField, read: (at: number) => T, at: number) =>
		mask & statxMask[field] ? read(at) : undefined;
	const mode = bytes.readUInt16LE(28);
	const type = has("type", () => types[mode >> 12], 28);
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
		mountId: other.readUInt32LE(0) & statxMask.mntId ? other.readUInt32LE(144) : undefined,
		mountIdUnique: has("mntIdUnique", u64, 144),
		dioMemAlign: has("dioalign", u32, 152),
		dioOffsetAlign: has("dioalign", u32, 156),
		dioReadOffsetAlign: has("dioReadAlign", u32, 180),
		subvol: has("subvol", u64, 160),
		atomicWriteUnitMin: has("writeAtomic", u32, 168),
		atomicWriteUnitMax: has("writeAtomic", u32, 172),
		// It has no bit of its own: an older kernel leaves it 0.
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
