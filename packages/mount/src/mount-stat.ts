import { Buffer } from "node:buffer";
import { type DeviceNumber, type IdMapping, NearfarError } from "@nearfar/core";
import {
	type Encoding,
	type MountAttribute,
	type MountFlag,
	mountAttributeMasks,
	mountAttributes,
	mountFlags,
	type Propagation,
	propagations,
	statmountMask,
} from "@nearfar/core/internal";
import type { AccessTimes } from "./attributes.ts";
import { decodeEscapes } from "./escapes.ts";

/** A flag of a superblock, which every mount of the file system shares. The names are those of `MS_*`. */
export type SuperblockFlag = Extract<MountFlag, "rdonly" | "synchronous" | "dirsync" | "lazytime">;

/**
 * The status of a mount, as the kernel has filled it in.
 *
 * A field that the kernel did not fill is absent, never 0 or empty: the mask did not ask for the field, the kernel does not
 * know it, or the mount has nothing to say there.
 */
export interface MountStat<Name extends string | Buffer = string> {
	/** The fields that the kernel has filled, as `STATMOUNT_*` bits. */
	readonly mask: number;
	/** All fields that this kernel can fill, as `STATMOUNT_*` bits. Linux 6.15. */
	readonly supportedMask?: number;
	/** The device of the file system. */
	readonly dev?: DeviceNumber;
	/** The number of the type of the file system, `*_SUPER_MAGIC`. */
	readonly fsMagic?: bigint;
	/** The flags of the superblock. */
	readonly superblock?: SuperblockFlag[];
	/** The unique id of the mount, which is never used again. */
	readonly id?: bigint;
	/** The unique id of the mount that holds the mount point. The root of a mount namespace has its own id here. */
	readonly parentId?: bigint;
	/** The id of the mount in mountinfo, which is used again after the mount has gone. */
	readonly reusedId?: number;
	/** The id of the parent in mountinfo. */
	readonly reusedParentId?: number;
	/** The attributes of the mount, without those that say when a read updates the access time. */
	readonly attributes?: MountAttribute[];
	/** When a read updates the access time of a file. */
	readonly atime?: AccessTimes;
	/** How mount events pass. A mount can be `"shared"` and `"slave"` at once. */
	readonly propagation?: Propagation[];
	/** The peer group in which mount events arrive and leave. */
	readonly peerGroup?: bigint;
	/** The peer group from which mount events arrive. */
	readonly master?: bigint;
	/** The nearest peer group that the task sees, for a mount whose events arrive from a group outside. */
	readonly propagateFrom?: bigint;
	/** The directory or file of the file system that is mounted. `//deleted` at the end says that it has been removed. */
	readonly root?: Name;
	/** The path of the mount point from the root of the task. Absent: the mount cannot be reached from there. */
	readonly mountPoint?: Name;
	/** The id of the mount namespace that the mount belongs to. */
	readonly namespaceId?: bigint;
	/** The type of the file system, without the subtype. */
	readonly fsType?: string;
	/** The subtype of the file system, as FUSE has them. */
	readonly fsSubtype?: string;
	/** The source that the mount was made with. */
	readonly source?: Name;
	/** The options of the file system. Empty: the kernel knows the field, and the file system has none. */
	readonly options?: string[];
	/** The options of a security module. Empty: the kernel knows the field, and there are none. */
	readonly securityOptions?: string[];
	/**
	 * The map of user ids of an id-mapped mount: `inside` are the ids of the file system, `outside` those of the task's user
	 * namespace. Empty: the task's user namespace has none of the ids outside.
	 */
	readonly uidMap?: IdMapping[];
	/** The map of group ids of an id-mapped mount. */
	readonly gidMap?: IdMapping[];
}

type Writable<T> = { -readonly [K in keyof T]: T[K] };

const STRINGS = 512; // the offset of the strings: the size of a struct statmount
const ATIME = mountAttributeMasks.atime;
const superblockFlags = (["rdonly", "synchronous", "dirsync", "lazytime"] as const).map(
	(name) => [name, mountFlags[name]] as const,
);
const attributeBits = entries<MountAttribute>(mountAttributes).filter(([, bit]) => bit !== 0 && !(bit & ATIME));
const propagationBits = entries<Propagation>(propagations);
const accessTimes = new Map<number, AccessTimes>([
	[mountAttributes.relatime, "relatime"],
	[mountAttributes.noatime, "noatime"],
	[mountAttributes.strictatime, "strictatime"],
]);

function entries<Name extends string>(table: Readonly<Record<Name, number>>): (readonly [Name, number])[] {
	return Object.entries(table) as [Name, number][];
}

/** Returns the names of the bits that are set. */
function namesOf<Name>(table: readonly (readonly [Name, number])[], bits: number): Name[] {
	const names: Name[] = [];
	if (bits === 0) return names;
	for (const [name, bit] of table) if (bits & bit) names.push(name);
	return names;
}

/**
 * Decodes what statmount(2) has written.
 *
 * @param bytes - A `struct statmount`, and the strings behind it. Nothing of these bytes is in the result.
 * @param fields - The same bytes.
 * @param asked - The mask that the caller has asked for. The request may have had more.
 * @param encoding - The form of `root`, `mountPoint` and `source`.
 */
export function decodeMountStat(
	bytes: Buffer,
	fields: DataView,
	asked: number,
	encoding: Encoding,
): MountStat<string | Buffer> {
	const strings = new Strings(bytes, fields.getUint32(0, true));
	const filled = fields.getUint32(8, true); // no field that this function knows has a bit above
	const u32 = (at: number) => fields.getUint32(at, true);
	const mask = (at: number) => u32(at) + u32(at + 4) * 2 ** 32; // a bigint between would cost more than all masks
	const u64 = (at: number) => fields.getBigUint64(at, true);
	const name = (at: number) => (encoding === "buffer" ? strings.bytes(u32(at)) : strings.text(u32(at)));

	const supported = filled & statmountMask.supportedMask ? mask(144) : 0;
	const hidden = filled & ~asked & statmountMask.supportedMask;
	const stat: Writable<MountStat<string | Buffer>> = { mask: mask(8) - hidden };
	if (filled & asked & statmountMask.supportedMask) stat.supportedMask = supported;
	if (filled & statmountMask.sbBasic) {
		stat.dev = { major: u32(16), minor: u32(20) };
		stat.fsMagic = u64(24);
		stat.superblock = namesOf(superblockFlags, u32(32));
	}
	if (filled & statmountMask.mntBasic) addBasics(stat, fields);
	if (filled & statmountMask.propagateFrom && u32(96) !== 0) stat.propagateFrom = u64(96);
	if (filled & statmountMask.mntRoot) stat.root = name(104);
	if (filled & statmountMask.mntPoint) stat.mountPoint = name(108);
	if (filled & statmountMask.mntNsId) stat.namespaceId = u64(112);
	if (filled & statmountMask.fsType) stat.fsType = strings.text(u32(36));
	if (filled & statmountMask.fsSubtype) stat.fsSubtype = strings.text(u32(120));
	if (filled & statmountMask.sbSource) stat.source = name(124);
	const known = asked & supported;
	if (filled & statmountMask.optArray) stat.options = strings.list(u32(132), u32(128));
	else if (filled & statmountMask.mntOpts) stat.options = cutOptions(strings.bytes(u32(4)));
	else if (known & (statmountMask.optArray | statmountMask.mntOpts)) stat.options = [];
	if (filled & statmountMask.optSecArray) stat.securityOptions = strings.list(u32(140), u32(136));
	else if (known & statmountMask.optSecArray) stat.securityOptions = [];
	if (filled & statmountMask.mntUidmap) stat.uidMap = strings.list(u32(156), u32(152)).map(toMapping);
	if (filled & statmountMask.mntGidmap) stat.gidMap = strings.list(u32(164), u32(160)).map(toMapping);
	return stat;
}

/** The strings behind a `struct statmount`, each of which ends with a NUL byte. */
class Strings {
	// Latin-1 makes one character of each byte. One conversion of all strings costs less than one for each of them.
	readonly #all: string;
	readonly #isAscii: boolean;

	/** @param size - The size of the struct and the strings, which in a task that another process has got hold of may be any. */
	constructor(bytes: Buffer, size: number) {
		if (size < STRINGS || size > bytes.length) throw brokenReply();
		this.#all = bytes.toString("latin1", STRINGS, size);
		this.#isAscii = !/[\x80-\xff]/.test(this.#all);
	}

	/** Returns the string at an offset, as bytes. */
	bytes(offset: number): Buffer {
		return Buffer.from(this.#all.slice(offset, this.#end(offset)), "latin1");
	}

	/** Returns the string at an offset. */
	text(offset: number): string {
		return this.#isAscii ? this.#all.slice(offset, this.#end(offset)) : this.bytes(offset).toString("utf8");
	}

	/** Returns as many strings as `count` says, the first of which is at an offset. */
	list(offset: number, count: number): string[] {
		const found: string[] = [];
		for (let at = offset; found.length < count; at = this.#end(at) + 1) found.push(this.text(at));
		return found;
	}

	#end(offset: number): number {
		const end = this.#all.indexOf("\0", offset);
		if (end < 0) throw brokenReply();
		return end;
	}
}

/** Adds the fields of STATMOUNT_MNT_BASIC. */
function addBasics(stat: Writable<MountStat<string | Buffer>>, fields: DataView): void {
	stat.id = fields.getBigUint64(40, true);
	stat.parentId = fields.getBigUint64(48, true);
	stat.reusedId = fields.getUint32(56, true);
	stat.reusedParentId = fields.getUint32(60, true);
	const attributes = fields.getUint32(64, true);
	stat.attributes = namesOf(attributeBits, attributes);
	const atime = accessTimes.get(attributes & ATIME);
	if (atime) stat.atime = atime;
	stat.propagation = namesOf(propagationBits, fields.getUint32(72, true));
	// The kernel's numbers of groups have 32 bits, and most mounts are in no group.
	if (fields.getUint32(80, true) !== 0) stat.peerGroup = fields.getBigUint64(80, true);
	if (fields.getUint32(88, true) !== 0) stat.master = fields.getBigUint64(88, true);
}

/** Cuts the options that the kernel returns as one string, in which commas of an option are escaped. */
function cutOptions(options: Buffer): string[] {
	return options
		.toString("latin1")
		.split(",")
		.map((option) => decodeEscapes(Buffer.from(option, "latin1")).toString("utf8"));
}

/** Converts a line of a map: the first id inside, the first id outside, and how many there are. */
function toMapping(line: string): IdMapping {
	const [inside = Number.NaN, outside = Number.NaN, count = Number.NaN] = line.split(" ").map(Number);
	return { inside, outside, count };
}

function brokenReply(): NearfarError {
	return new NearfarError("BROKEN_REPLY", "a task returned a status of a mount that no kernel returns");
}
