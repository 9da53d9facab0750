import { constants, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { UsageError } from "./errors.ts";
import { complain, escaped, lookAt, writeAll } from "./print.ts";

/** Writes what a run has come to, as one line of JSON. */
export class Report {
	readonly #fd: number;

	/** @param fd - A descriptor of the caller. It has to be looked at before anything else is opened. */
	constructor(fd: number) {
		if (!isOfCaller(fd)) {
			throw new UsageError(
				`--json takes the number of a descriptor that is open for writing, and ${fd} is not, or is Node's own: open it as in \`nearfar run --json 3 … 3>FILE\``,
				"nearfar run",
			);
		}
		this.#fd = fd;
	}

	write(line: object): void {
		const text = JSON.stringify(line).replace(/\p{Cc}/gu, escaped);
		try {
			if (writeAll(this.#fd, `${text}\n`)) return;
			complain(`nobody reads descriptor ${this.#fd} of --json`);
		} catch (error) {
			complain(`cannot write to descriptor ${this.#fd} of --json: ${(error as Error).message}`);
		}
	}
}

/**
 * Returns whether a descriptor is one that the caller has opened. Node takes free numbers for its own descriptors, which are nothing
 * that can be written, or both ends of a pipe.
 */
function isOfCaller(fd: number): boolean {
	try {
		lookAt(fd);
		const target = readlinkSync(`/proc/self/fd/${fd}`);
		const [, flags = "0"] = /^flags:\s*(\d+)$/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, "utf8")) ?? [];
		const isWritable = (Number.parseInt(flags, 8) & (constants.O_WRONLY | constants.O_RDWR)) !== 0;
		if (!isWritable || target.startsWith("anon_inode:")) return false;
		return fd <= 2 || !target.startsWith("pipe:") || sameTarget(target) === 1;
	} catch (error) {
		return (error as NodeJS.ErrnoException).code === "ENOENT" && fd <= 2; // without /proc, 0 to 2 are always the caller's
	}
}

function sameTarget(target: string): number {
	return readdirSync("/proc/self/fd").filter((each) => {
		try {
			return readlinkSync(`/proc/self/fd/${each}`) === target;
		} catch {
			return false; // the descriptor of this very listing
		}
	}).length;
}
