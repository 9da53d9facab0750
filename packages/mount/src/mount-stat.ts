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
const superblockFlags = ["rdonly", "synchronous", "dirsync", "lazytime"] as const;
const attributeNames = (Object.keys(mountAttributes) as MountAttribute[]).filter(
	(name) => mountAttributes[name] !== 0 && !(mountAttributes[name] & ATIME),
);
const propagationNames = Object.keys(propagations) as Propagation[];

/**
 * Decodes what statmount(2) has written.
 *
 * @param bytes - A `struct statmount`, and the strings behind it.
 * @param asked - The mask that the caller has asked for. The request may have had more.
 * @param encoding - The form of `root`, `mountPoint` and `source`.
 */
export function decodeMountStat(bytes: Buffer, asked: number, encoding: Encoding): MountStat<string | Buffer> {
	const size = bytes.readUInt32LE(0);
	if (size < STRINGS || size > bytes.length) throw brokenReply();
	const filled = bytes.readUInt32LE(8); // no field that this function knows has a bit above
	const has = (field: keyof typeof statmountMask) => (filled & statmountMask[field]) !== 0;
	const u32 = (at: number) => bytes.readUInt32LE(at);
	const u64 = (at: number) => bytes.readBigUInt64LE(at);
	const supported = has("supportedMask") ? Number(u64(144)) : 0;
	const hidden = has("supportedMask") && !(asked & statmountMask.supportedMask) ? statmountMask.supportedMask : 0;
	const stat: Writable<MountStat<string | Buffer>> = { mask: Number(u64(8)) - hidden };

	const strings = (at: number, count: number): Buffer[] => {
		const found: Buffer[] = [];
		for (let start = STRINGS + u32(at); found.length < count; ) {
			const end = bytes.indexOf(0, start);
			if (end < 0 || end >= size) throw brokenReply();
			found.push(bytes.subarray(start, end));
			start = end + 1;
		}
		return found;
	};
	const string = (at: number): Buffer => strings(at, 1)[0] as Buffer;
	const name = (at: number): string | Buffer => (encoding === "buffer" ? string(at) : `${string(at)}`);
	const list = (at: number): string[] => strings(at + 4, u32(at)).map(String);
	const isKnown = (field: keyof typeof statmountMask) => (asked & supported & statmountMask[field]) !== 0;

	if (has("supportedMask") && !hidden) stat.supportedMask = supported;
	if (has("sbBasic")) {
		stat.dev = { major: u32(16), minor: u32(20) };
		stat.fsMagic = u64(24);
		const flags = u32(32);
		stat.superblock = superblockFlags.filter((flag) => flags & mountFlags[flag]);
	}
	if (has("mntBasic")) addBasics(stat, bytes);
	if (has("propagateFrom") && u64(96) !== 0n) stat.propagateFrom = u64(96);
	if (has("mntRoot")) stat.root = name(104);
	if (has("mntPoint")) stat.mountPoint = name(108);
	if (has("mntNsId")) stat.namespaceId = u64(112);
	if (has("fsType")) stat.fsType = `${string(36)}`;
	if (has("fsSubtype")) stat.fsSubtype = `${string(120)}`;
	if (has("sbSource")) stat.source = name(124);
	if (has("optArray")) stat.options = list(128);
	else if (has("mntOpts")) stat.options = cutOptions(string(4));
	else if (isKnown("optArray") || isKnown("mntOpts")) stat.options = [];
	if (has("optSecArray")) stat.securityOptions = list(136);
	else if (isKnown("optSecArray")) stat.securityOptions = [];
	if (has("mntUidmap")) stat.uidMap = strings(156, u32(152)).map(toMapping);
	if (has("mntGidmap")) stat.gidMap = strings(164, u32(160)).map(toMapping);
	return stat;
}

/** Adds the fields of STATMOUNT_MNT_BASIC. */
function addBasics(stat: Writable<MountStat<string | Buffer>>, bytes: Buffer): void {
	stat.id = bytes.readBigUInt64LE(40);
	stat.parentId = bytes.readBigUInt64LE(48);
	stat.reusedId = bytes.readUInt32LE(56);
	stat.reusedParentId = bytes.readUInt32LE(60);
	const attributes = bytes.readUInt32LE(64);
	stat.attributes = attributeNames.filter((name) => attributes & mountAttributes[name]);
	const atime = accessTimes(attributes & ATIME);
	if (atime) stat.atime = atime;
	const propagation = bytes.readUInt32LE(72);
	stat.propagation = propagationNames.filter((name) => propagation & propagations[name]);
	const [peerGroup, master] = [bytes.readBigUInt64LE(80), bytes.readBigUInt64LE(88)];
	if (peerGroup !== 0n) stat.peerGroup = peerGroup;
	if (master !== 0n) stat.master = master;
}

function accessTimes(bits: number): AccessTimes | undefined {
	const names = ["relatime", "noatime", "strictatime"] as const;
	return names.find((name) => mountAttributes[name] === bits);
}

/** Cuts the options that the kernel returns as one string, in which commas of an option are escaped. */
function cutOptions(options: Buffer): string[] {
	return options
		.toString("latin1")
		.split(",")
		.map((option) => decodeEscapes(Buffer.from(option, "latin1")).toString("utf8"));
}

/** Converts a line of a map: the first id inside, the first id outside, and how many there are. */
function toMapping(line: Buffer): IdMapping {
	const [inside = Number.NaN, outside = Number.NaN, count = Number.NaN] = `${line}`.split(" ").map(Number);
	return { inside, outside, count };
}

function brokenReply(): NearfarError {
	return new NearfarError("BROKEN_REPLY", "a task returned a status of a mount that no kernel returns");
}
