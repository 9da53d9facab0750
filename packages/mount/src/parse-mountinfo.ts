import { Buffer } from "node:buffer";
import { type DeviceNumber, NearfarError } from "@nearfar/core";
import { options as checkOptions, type Encoding, toEncoding, wrongType } from "@nearfar/core/internal";
import { decodeEscapes } from "./escapes.ts";

/**
 * One mount, as a line of `/proc/PID/mountinfo` shows it.
 *
 * Every escape of the kernel is decoded. The kernel uses both ids again after the mount has gone; {@link MountStat} has ids
 * that are never used again.
 */
export interface MountInfo<Name extends string | Buffer = string> {
	/** The id of the mount, from 0. */
	readonly id: number;
	/** The id of the mount that holds the mount point. The root has its own id here, or one that no line shows. */
	readonly parentId: number;
	/** The device of the file system, as statx(2) shows it for most files of the mount. */
	readonly dev: DeviceNumber;
	/** The directory or file of the file system that is mounted, as a path in that file system. */
	readonly root: Name;
	/** True when the root of the mount has been removed. */
	readonly deleted: boolean;
	/** The path of the mount point from the root of the process. Several mounts can have the same one. */
	readonly mountPoint: Name;
	/** The attributes of the mount, such as `"ro"` and `"nosuid"`. */
	readonly options: string[];
	/** The optional fields as they are: `"shared:1"`, `"master:2"`, `"propagate_from:3"`, `"unbindable"`, and unknown ones. */
	readonly optional: string[];
	/** The peer group in which mount events arrive and leave. Absent: the mount is not shared. */
	readonly peerGroup?: number;
	/** The peer group from which mount events arrive. Absent: the mount is no slave. */
	readonly master?: number;
	/** The nearest peer group that the process sees, if events arrive from a group outside. */
	readonly propagateFrom?: number;
	/** True when the mount cannot be bound elsewhere. */
	readonly unbindable: boolean;
	/** The type of the file system, with its subtype: `"tmpfs"`, `"fuse.sshfs"`. */
	readonly fsType: string;
	/** The source that the mount was made with. May be empty. */
	readonly source: Name;
	/** The options of the file system, such as `"rw"` and `"size=1024k"`. */
	readonly superOptions: string[];
}

const [SPACE, COMMA, HYPHEN, ZERO, NINE, COLON] = [0x20, 0x2c, 0x2d, 0x30, 0x39, 0x3a];
const DELETED = "//deleted";
const DIGITS = 10; // no number of 32 bits has more

type Writable<T> = { -readonly [K in keyof T]: T[K] };

/** Converts the text of a field, in which bytes may be escaped. */
type Convert<T> = (field: string) => T;

/**
 * Returns the mounts that a text in the format of `/proc/PID/mountinfo` describes, one for each line.
 *
 * Fields are cut at single blanks, options at commas, and then every `\ooo` is decoded. So a name may hold blanks, newlines
 * and backslashes, a source may be empty or `-`, and an option may hold a comma.
 *
 * @param text - The text. Pass the bytes of the file if names that are not UTF-8 matter.
 * @param options - `encoding`: `"utf8"` returns `root`, `mountPoint` and `source` as strings, in which bytes that are not UTF-8
 * become U+FFFD; `"buffer"` returns their bytes. Default: `"utf8"`.
 * @returns The mounts, in the order of the lines.
 * @throws `ERR_NEARFAR_FORMAT` A line has another format. No line is skipped.
 * @throws `TypeError` `text` is neither a string nor a Buffer, or the encoding is unknown.
 * @example
 * ```ts
 * const text = "36 35 98:0 / /my\\040disk rw,noatime shared:1 - ext4 /dev/sda rw,errors=continue\n";
 * const [line] = parseMountinfo(text);
 * console.log(line?.mountPoint, line?.peerGroup, line?.fsType); // /my disk 1 ext4
 * ```
 * @see proc_pid_mountinfo(5)
 */
export function parseMountinfo(text: string | Buffer, options?: { encoding?: "utf8" }): MountInfo[];
export function parseMountinfo(text: string | Buffer, options: { encoding: "buffer" }): MountInfo<Buffer>[];
export function parseMountinfo(text: string | Buffer, options?: { encoding?: Encoding }): MountInfo<string | Buffer>[] {
	const encoding = toEncoding(checkOptions(options, ["encoding"]).encoding);
	if (typeof text !== "string" && !((text as unknown) instanceof Uint8Array)) {
		throw wrongType("text", "a string or a Buffer", text);
	}
	return parse(text, encoding);
}

/** Parses a text whose type has been checked. */
export function parse(text: string | Buffer, encoding: Encoding): MountInfo<string | Buffer>[] {
	// Latin-1 makes one character of each byte, and so nothing is lost before the escapes are decoded.
	const [all, source] = typeof text === "string" ? ([text, "utf8"] as const) : ([latin1(text), "latin1"] as const);
	const toBytes = (field: string) => decodeEscapes(Buffer.from(field, source));
	const toText = textConverter(all, source, toBytes);
	const toName: Convert<string | Buffer> = encoding === "buffer" ? toBytes : toText;
	const mounts: MountInfo<string | Buffer>[] = [];
	for (let start = 0, end = 0; start < all.length; start = end + 1) {
		end = all.indexOf("\n", start);
		if (end < 0) end = all.length;
		const mount = parseLine(all, start, end, toText, toName);
		if (!mount) throw wrongLine(mounts.length + 1, all.slice(start, end));
		mounts.push(mount);
	}
	return mounts;
}

/** Returns one character for each byte. Bytes that are no Buffer have another `toString`. */
function latin1({ buffer, byteOffset, byteLength }: Uint8Array): string {
	return Buffer.from(buffer, byteOffset, byteLength).toString("latin1");
}

/** Returns the function that converts the text of a field. For most texts nothing has to be converted. */
function textConverter(all: string, source: "utf8" | "latin1", toBytes: Convert<Buffer>): Convert<string> {
	const special = source === "latin1" ? /[\\\x80-\xff]/ : /\\/;
	if (!special.test(all)) return (field) => field;
	return (field) => (special.test(field) ? toBytes(field).toString("utf8") : field);
}

/** Parses one line. `undefined`: the line has another format. */
function parseLine<Name extends string | Buffer>(
	text: string,
	start: number,
	end: number,
	toText: Convert<string>,
	toName: Convert<Name>,
): MountInfo<Name> | undefined {
	const idEnd = endOfField(text, start, end);
	const parentEnd = endOfField(text, idEnd + 1, end);
	const majorEnd = endOfField(text, parentEnd + 1, end, COLON);
	const devEnd = endOfField(text, majorEnd + 1, end);
	const rootEnd = endOfField(text, devEnd + 1, end);
	const pointEnd = endOfField(text, rootEnd + 1, end);
	const optionsEnd = endOfField(text, pointEnd + 1, end);
	const optional: string[] = [];
	let at = optionsEnd + 1;
	for (let fieldEnd = at; at < end; at = fieldEnd + 1) {
		fieldEnd = endOfField(text, at, end);
		if (fieldEnd === at + 1 && text.charCodeAt(at) === HYPHEN) break;
		if (fieldEnd === at) return undefined;
		optional.push(toText(text.slice(at, fieldEnd)));
	}
	const typeStart = at + 2;
	const typeEnd = endOfField(text, typeStart, end);
	const sourceEnd = endOfField(text, typeEnd + 1, end);
	const id = number(text, start, idEnd);
	const parentId = number(text, idEnd + 1, parentEnd);
	const major = number(text, parentEnd + 1, majorEnd);
	const minor = number(text, majorEnd + 1, devEnd);
	const isLine = id >= 0 && parentId >= 0 && major >= 0 && minor >= 0 && sourceEnd + 1 < end;
	const isFilled = rootEnd > devEnd + 1 && pointEnd > rootEnd + 1 && optionsEnd > pointEnd + 1 && typeEnd > typeStart;
	if (!isLine || !isFilled) return undefined;
	const deleted = text.startsWith(DELETED, rootEnd - DELETED.length) && rootEnd - DELETED.length > devEnd;
	const mount: Writable<MountInfo<Name>> = {
		id,
		parentId,
		dev: { major, minor },
		root: toName(text.slice(devEnd + 1, deleted ? rootEnd - DELETED.length : rootEnd)),
		deleted,
		mountPoint: toName(text.slice(rootEnd + 1, pointEnd)),
		options: cutOptions(text, pointEnd + 1, optionsEnd, toText),
		optional,
		unbindable: false,
		fsType: toText(text.slice(typeStart, typeEnd)),
		source: toName(text.slice(typeEnd + 1, sourceEnd)),
		superOptions: cutOptions(text, sourceEnd + 1, end, toText),
	};
	for (const field of optional) addPropagation(mount, field);
	return mount;
}

/** Adds what an optional field says. A field that has no known form is only one of `optional`. */
function addPropagation(mount: Writable<MountInfo<string | Buffer>>, field: string): void {
	if (field === "unbindable") mount.unbindable = true;
	const colon = field.indexOf(":");
	const group = number(field, colon + 1, field.length);
	if (colon < 0 || group < 0) return;
	if (field.startsWith("shared:")) mount.peerGroup = group;
	else if (field.startsWith("master:")) mount.master = group;
	else if (field.startsWith("propagate_from:")) mount.propagateFrom = group;
}

/** Returns where the field ends that begins at `at`: at the next blank, or at the end of the line. */
function endOfField(text: string, at: number, end: number, blank = SPACE): number {
	while (at < end && text.charCodeAt(at) !== blank) at++;
	return at;
}

/** Returns the number that a field holds. -1: the field holds anything else. */
function number(text: string, start: number, end: number): number {
	if (start >= end || end - start > DIGITS) return -1;
	let value = 0;
	for (let at = start; at < end; at++) {
		const code = text.charCodeAt(at);
		if (!(code >= ZERO && code <= NINE)) return -1;
		value = value * 10 + code - ZERO;
	}
	return value;
}

function cutOptions(text: string, start: number, end: number, toText: Convert<string>): string[] {
	const cut: string[] = [];
	for (let at = start, next = start; at <= end; at = next + 1) {
		next = endOfField(text, at, end, COMMA);
		cut.push(toText(text.slice(at, next)));
	}
	return cut;
}

function wrongLine(index: number, line: string): NearfarError {
	const shown = line.length > 200 ? `${line.slice(0, 200)}…` : line;
	return new NearfarError("FORMAT", `line ${index} is none of /proc/PID/mountinfo: '${shown}'`);
}
