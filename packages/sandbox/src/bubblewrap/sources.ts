import { accessSync, constants, readFileSync, realpathSync } from "node:fs";
import { isatty } from "node:tty";
import { type FileType, statx } from "@nearfar/core";
import { Failure, reasonOf } from "./failure.ts";
import type { Operation } from "./operations.ts";

/** A file of the host, by its canonical path. */
export interface Source {
	readonly path: string;
	readonly type: FileType | undefined;
	readonly device: { readonly major: number; readonly minor: number };
	readonly inode: bigint;
}

/** Descriptors that are read to their end, each once. */
export class Inputs {
	readonly #read = new Set<number>();

	/** Reads a descriptor. The second time there is nothing to read, which would be taken for an empty file. */
	read(fd: number): Buffer {
		if (this.#read.has(fd)) throw Object.assign(new Error("read twice"), { code: "EBADF", errno: -9 });
		this.#read.add(fd);
		return readFileSync(fd);
	}
}

/** An operation, and what it takes of the host. */
export interface Prepared {
	readonly operation: Operation;
	readonly source?: Source;
	readonly layers?: { readonly lower: readonly string[]; readonly upper?: string; readonly work?: string };
	readonly content?: Buffer;
}

/**
 * Looks up what the operations take of the host, and reads the contents of files. Leaves out operations that have no source and
 * do not need one.
 */
export function prepare(operations: readonly Operation[], inputs: Inputs): Prepared[] {
	return operations.flatMap((operation): Prepared | Prepared[] => {
		switch (operation.kind) {
			case "bind": {
				const source = find(operation.source, operation.optional);
				if (!source) return [];
				if (operation.fd !== undefined) expectSame(source, operation.fd);
				return { operation, source };
			}
			case "overlay": {
				const { upper } = operation;
				const lower = operation.lower.map(canonical);
				if (typeof upper !== "object") return { operation, layers: { lower } };
				return { operation, layers: { lower, upper: canonical(upper.path), work: canonical(upper.work) } };
			}
			case "file":
			case "data":
				return { operation, content: read(inputs, operation.fd, operation.dest) };
			default:
				return { operation };
		}
	});
}

function canonical(path: string): string {
	try {
		return realpathSync.native(path);
	} catch (error) {
		throw new Failure(`Can't find source path ${path}: ${reasonOf(error)}`);
	}
}

function find(path: string, optional: boolean): Source | undefined {
	try {
		const real = realpathSync.native(path);
		return { path: real, ...look(real) };
	} catch (error) {
		if (optional && (error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
		throw new Failure(`Can't find source path ${path}: ${reasonOf(error)}`);
	}
}

function look(path: string): Omit<Source, "path"> {
	const { type, dev, ino = 0n } = statx(path, { mask: ["type", "ino"] });
	return { type, device: dev, inode: ino };
}

/** Refuses a path under which another file lies than the open one. */
function expectSame(source: Source, fd: number): void {
	const { device, inode } = look(`/proc/self/fd/${fd}`);
	const { major, minor } = source.device;
	if (inode !== source.inode || device.major !== major || device.minor !== minor) {
		throw new Failure("Race condition binding dirfd");
	}
}

function read(inputs: Inputs, fd: number, dest: string): Buffer {
	try {
		return inputs.read(fd);
	} catch (error) {
		throw new Failure(`Can't write data to file ${dest}: ${reasonOf(error)}`);
	}
}

/** Reads the program of a filter, which has 8 bytes for each instruction. */
export function readFilter(inputs: Inputs, fd: number): Uint8Array {
	let filter: Buffer;
	try {
		filter = inputs.read(fd);
	} catch (error) {
		throw new Failure(`Can't read seccomp data: ${reasonOf(error)}`);
	}
	if (filter.length % 8 !== 0) throw new Failure("Invalid seccomp data, must be multiple of 8");
	return filter;
}

/** Returns the entries of a procfs that a sandbox covers. An ordinary user can write none of them, also if nothing covers them. */
export function coveredEntries(): string[] {
	return ["sys", "sysrq-trigger", "irq", "bus"].filter((name) => {
		try {
			accessSync(`/proc/${name}`, constants.W_OK);
			return true;
		} catch (error) {
			const { code } = error as NodeJS.ErrnoException;
			return code === "EROFS"; // another procfs can be written
		}
	});
}

/** Returns the terminal that is standard output. The command can use it already. */
export function terminal(): string | undefined {
	if (!isatty(1)) return undefined;
	try {
		return realpathSync.native("/proc/self/fd/1");
	} catch {
		return undefined; // there is no /proc, or the terminal is one of another mount namespace
	}
}
