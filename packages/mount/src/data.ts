import { Buffer } from "node:buffer";
import { BatchError, FileDescriptor } from "@nearfar/core";
import { array, integer, numberOf, outOfRange, shownData, wrongType, wrongValue } from "@nearfar/core/internal";

/**
 * The value of one option in {@link MountData}.
 *
 * `true` is a word without a value; `false` and `undefined` leave the option out. A number is written in decimal, a
 * descriptor as its number.
 */
export type MountValue = string | number | bigint | boolean | FileDescriptor | undefined;

/**
 * Options for a file system: text as in fstab(5), a list of options, or an object of their values.
 *
 * `"size=1m,mode=700"`, `["size=1m", "mode=700"]` and `{ size: "1m", mode: "700" }` say the same. An array as a value
 * repeats its key. A number for a key that ends in `mode` or `mask` is refused, because file systems read such values in
 * octal: write `mode: "700"`.
 */
export type MountData = string | readonly string[] | Readonly<Record<string, MountValue | readonly MountValue[]>>;

/** One option: a word without a value, text, or a descriptor. */
export interface DataPart {
	readonly key: string;
	readonly value: string | FileDescriptor | undefined;
}

const LIMIT = 4095; // the kernel copies one page, whose smallest size is 4096, and ends it with a NUL byte

/**
 * Returns the text of options for mount(2). A string is returned as it is.
 *
 * The kernel cuts the text at commas, so that elements of a list and values of an object may hold none. A comma in double
 * quotes is allowed, because the security modules and some file systems do not cut there.
 *
 * @param data - The options. Descriptors are written as their numbers in the current task.
 * @param name - The name of the parameter, for error messages.
 * @throws `BatchError` A descriptor is one that a batch has still to make, and so has no number yet.
 * @throws `FDTableMismatchError` A descriptor belongs to another table than the current task's.
 * @throws `ClosedError` A descriptor is closed.
 * @throws `TypeError` An option has the wrong type, no name, a NUL byte or a comma, or is a mode in decimal.
 * @throws `RangeError` The text is longer than 4095 bytes: the kernel would cut off the rest. Or a number is no whole one.
 */
export function dataText(data: MountData, name: string): string {
	const text = typeof data === "string" ? checked(data, name) : dataOptions(data, name).join(",");
	const length = Buffer.byteLength(text);
	if (length > LIMIT) throw outOfRange(name, `at most ${LIMIT} bytes: the kernel would cut off the rest`, length);
	return text;
}

/**
 * Returns the options one by one, for fsconfig(2).
 *
 * A string is cut at the commas outside double quotes. The value of such an option, or of one in a list, loses double
 * quotes around the whole of it: their only purpose is to protect a comma, and fsconfig(2) needs no protection. The value of
 * an object reaches the kernel unchanged, with commas and quotes.
 *
 * @param data - The options.
 * @param name - The name of the parameter, for error messages.
 * @throws `TypeError` An option has the wrong type, no name or a NUL byte, or is a mode in decimal.
 * @throws `TypeError` An element of a list holds a comma, or a quote is not closed before a comma.
 * @throws `RangeError` A number is not a whole one.
 */
export function dataParts(data: MountData, name: string): readonly DataPart[] {
	if (isObject(data)) return entries(data, name);
	return dataOptions(data, name).map((option) => unquoted(option, name));
}

/** Returns the options as `key` or `key=value`, one by one. Double quotes stay where they are. */
export function dataOptions(data: MountData, name: string): readonly string[] {
	if (typeof data === "string") return cutAtCommas(checked(data, name), name);
	return isObject(data) ? entries(data, name).map((part) => joined(part, name)) : listed(data, name);
}

/** Cuts an option at the first `=`. */
export function cutAtEqualsSign(option: string, name: string): { key: string; value: string | undefined } {
	const at = option.indexOf("=");
	if (at === 0) throw wrongValue(name, "made of options that have a name before their =", shownData(option));
	return at < 0 ? { key: option, value: undefined } : { key: option.slice(0, at), value: option.slice(at + 1) };
}

/** Cuts text at the commas outside double quotes. Empty parts are left out. */
function cutAtCommas(whole: string, name: string): string[] {
	const parts: string[] = [];
	let start = 0;
	let quoted = false;
	for (let at = 0; at < whole.length; at++) {
		if (whole[at] === '"') quoted = !quoted;
		if (quoted || whole[at] !== ",") continue;
		parts.push(whole.slice(start, at));
		start = at + 1;
	}
	const last = whole.slice(start);
	if (quoted && hasBareComma(last)) throw wrongValue(name, "text whose double quotes are closed", shownData(whole));
	return [...parts, last].filter((part) => part !== "");
}

/** True when a comma stands outside double quotes. A quote that is not closed protects no comma. */
function hasBareComma(option: string): boolean {
	return option.replace(/"[^"]*"/g, "").includes(",");
}

/**
 * Checks that a value is text without NUL bytes. An error shows the option without what looks like a password.
 *
 * @param option - The option as an error shows it.
 */
function checked(value: unknown, name: string, option = value): string {
	if (typeof value !== "string") throw wrongType(name, "a string", value);
	if (value.includes("\0")) throw wrongValue(name, "without NUL bytes", shownData(String(option)));
	return value;
}

/** Checks the elements of a list, and returns those that are not empty. */
function listed(data: readonly string[], name: string): string[] {
	const options = array(data, name).map((option, index) => {
		const place = `${name}[${index}]`;
		cutAtEqualsSign(checked(option, place), place);
		return withoutComma(option, place);
	});
	return options.filter((option) => option !== "");
}

function withoutComma(option: string, name: string): string {
	if (!hasBareComma(option)) return option;
	throw wrongValue(name, "without a comma outside double quotes: the kernel would cut there", shownData(option));
}

type DataObject = Exclude<MountData, string | readonly string[]>;

/** True when the options are to be an object: no text, and no list. */
function isObject(data: MountData): data is DataObject {
	return typeof data !== "string" && !Array.isArray(data);
}

/** Returns the options of an object. */
function entries(data: DataObject, name: string): DataPart[] {
	if (!isPlainObject(data)) throw wrongType(name, "a string, an array of strings or a plain object", data);
	return Object.entries(data).flatMap(([key, value]) => {
		const place = `${name}.${key}`;
		if (key === "" || /[,=\0]/.test(key)) {
			throw wrongValue(name, "an object whose keys are not empty, without comma, = and NUL bytes", key);
		}
		return (Array.isArray(value) ? array(value, place) : [value]).flatMap((one: MountValue) => part(key, one, place));
	});
}

/** True for `{ … }`, also of another realm. The options of a `Map` or another object would be dropped in silence. */
function isPlainObject(data: object): boolean {
	if (data === null || typeof data !== "object") return false;
	const prototype = Object.getPrototypeOf(data);
	return prototype === null || Object.getPrototypeOf(prototype) === null;
}

/** Returns one option, or none for `false` and `undefined`. */
function part(key: string, value: MountValue, name: string): DataPart[] {
	switch (typeof value) {
		case "undefined":
			return [];
		case "boolean":
			return value ? [{ key, value: undefined }] : [];
		case "string":
			return [{ key, value: checked(value, name, `${key}=${value}`) }];
		case "number":
		case "bigint":
			return [{ key, value: decimal(key, value, name) }];
	}
	if (value instanceof FileDescriptor) return [{ key, value }];
	throw wrongType(name, "a string, a number, a bigint, a boolean, a FileDescriptor, or an array of them", value);
}

function decimal(key: string, value: number | bigint, name: string): string {
	if (/(?:mode|mask)$/.test(key)) {
		throw wrongValue(name, 'a string in octal, as in "700": a number would be written in decimal', value);
	}
	if (typeof value === "bigint") return String(value);
	return String(integer(value, name, Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER));
}

/** Writes one option of an object as text. */
function joined({ key, value }: DataPart, name: string): string {
	const place = `${name}.${key}`;
	if (value === undefined) return key;
	const option = `${key}=${typeof value === "string" ? value : openNumber(value, place)}`;
	return withoutComma(option, place);
}

/** Returns the number of a descriptor, for text that is written before the batch runs. */
function openNumber(fd: FileDescriptor, name: string): number {
	const number = numberOf(fd, name);
	if (number >= 0) return number;
	throw new BatchError(
		`"${name}" is a descriptor that this batch has still to make, and text needs its number: open it before the batch`,
	);
}

/** Cuts an option of text, and takes double quotes around the whole value away. */
function unquoted(option: string, name: string): DataPart {
	const { key, value } = cutAtEqualsSign(option, name);
	return { key, value: value?.replace(/^"([^"]*)"$/, "$1") };
}
