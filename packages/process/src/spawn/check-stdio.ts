import type { Stream } from "node:stream";
import { FileDescriptor } from "@nearfar/core";
import { array, integer, outOfRange, wrongType, wrongValue } from "@nearfar/core/internal";
import { type NodeStream, stopReading } from "./given-stream.ts";

/**
 * The option for one descriptor of the program.
 *
 * - `"pipe"`: a stream of this process at the other end. `undefined` and `null` are the same for 0, 1 and 2.
 * - `"ignore"`: `/dev/null`. `undefined` and `null` are the same from 3 up.
 * - `"inherit"`: the descriptor that this process has at the same number.
 * - A number, a `FileDescriptor` or a stream with a descriptor: that open file of this process. This process does not
 * read from such a socket any more.
 */
export type Stdio = "pipe" | "ignore" | "inherit" | number | FileDescriptor | Stream | null | undefined;

/** The option `stdio`: one entry for each descriptor from 0 up, or one for all of 0, 1 and 2. */
export type StdioOption = "pipe" | "ignore" | "inherit" | readonly Stdio[];

/** The checked option `stdio`: one entry for each number from 0. */
export type CheckedStdio = readonly ("pipe" | "ignore" | "inherit" | FileDescriptor)[];

/** Descriptors, each with the number that it gets in the program. */
export type NumberedDescriptors = readonly (readonly [number: number, descriptor: FileDescriptor])[];

/** Checks `options.stdio`, and takes and refuses the same as `node:child_process`. */
export function checkStdio(stdio: Stdio | readonly Stdio[]): CheckedStdio {
	if (!Array.isArray(stdio) && typeof stdio !== "string") {
		throw wrongType("options.stdio", '"pipe", "ignore", "inherit" or an array', stdio);
	}
	const list: readonly Stdio[] = typeof stdio === "string" ? [stdio, stdio, stdio] : array(stdio, "options.stdio");
	const padded = list.length < 3 ? [...list, ...Array<Stdio>(3 - list.length).fill(undefined)] : list;
	return padded.map((entry, number) => checkEntry(entry, number, `options.stdio[${number}]`));
}

function checkEntry(entry: Stdio, number: number, name: string): CheckedStdio[number] {
	if (entry === undefined || entry === null) return number < 3 ? "pipe" : "ignore";
	if (entry === "pipe" || entry === "ignore" || entry instanceof FileDescriptor) return entry;
	if (entry === "inherit") return number < 3 ? entry : FileDescriptor.borrow(number);
	if (typeof entry === "number") return entry === number && number < 3 ? "inherit" : borrow(entry, name);
	if (typeof entry === "object") {
		const { fd, _handle, on } = entry as NodeStream;
		// An object without events is no stream. A FileDescriptor of another copy of core has a number, perhaps of a task.
		if (typeof on !== "function") throw wrongValue(name, "a stream, or a FileDescriptor of this copy of core", entry);
		if (typeof fd === "number" && fd >= 0) return borrow(fd, name);
		if (typeof _handle?.fd === "number" && _handle.fd >= 0) {
			stopReading(entry as NodeStream);
			return borrow(_handle.fd, name);
		}
		throw wrongValue(name, "an open stream that has a descriptor", entry);
	}
	throw wrongValue(name, '"pipe", "ignore", "inherit", a descriptor or a stream that has one', entry);
}

function borrow(fd: number, name: string): FileDescriptor {
	return FileDescriptor.borrow(integer(fd, name, 0, 2 ** 31 - 1));
}

/** Throws a `RangeError` when `options.fds` has a number twice, or one that `options.stdio` has too. */
export function checkNumbers(entries: CheckedStdio, fds: NumberedDescriptors): void {
	const taken = new Set(entries.keys());
	for (const [number] of fds) {
		if (taken.has(number)) throw outOfRange("options.fds", "made of numbers that options.stdio does not have", number);
		taken.add(number);
	}
}
