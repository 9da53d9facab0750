import { type BigIntStats, fstatSync, writeSync } from "node:fs";

/** 128 and the number of SIGPIPE: nobody reads what is printed, as of a program that the signal has ended. */
const NOBODY_READS = 141;

/** Prints to the standard output, and returns the exit code. */
export function print(text: string): number {
	return writeAll(1, text) ? 0 : NOBODY_READS;
}

/** Prints a message to the standard error. A name that a program has chosen does not reach the terminal as it is. */
export function complain(message: string): void {
	const text = message.replace(/(?![\n\t])\p{Cc}/gu, escaped);
	const name = isTerminal(2) && !process.env.NO_COLOR ? "\x1b[31mnearfar:\x1b[39m" : "nearfar:";
	writeAll(2, `${name} ${text}\n`);
}

/** Returns a control character as JSON writes it. */
export function escaped(control: string): string {
	return `\\u${control.charCodeAt(0).toString(16).padStart(4, "0")}`;
}

/** Writes all of a text to a descriptor. Returns false where nobody reads it. */
export function writeAll(fd: number, text: string): boolean {
	let rest = Buffer.from(text);
	while (rest.length > 0) {
		try {
			rest = rest.subarray(writeSync(fd, rest));
		} catch (error) {
			const { code } = error as NodeJS.ErrnoException;
			if (code === "EPIPE") return false;
			if (code !== "EAGAIN") throw error;
			Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10); // the pipe is full, and another program made it not wait
		}
	}
	return true;
}

/**
 * Returns what fstat(2) says of a descriptor. Node's `realpathSync` looks at what the last call of this kind has left behind, and a pipe or
 * a socket there makes it stop too early: then an import loads a second copy of a package. Numbers of 64 bits are left elsewhere.
 */
export function lookAt(fd: number): BigIntStats {
	return fstatSync(fd, { bigint: true });
}

/** Returns whether a descriptor is a terminal. */
export function isTerminal(fd: number): boolean {
	try {
		// Most descriptors are no device: node:tty, which takes milliseconds to load, has not to be asked.
		return lookAt(fd).isCharacterDevice() && process.getBuiltinModule("node:tty").isatty(fd);
	} catch {
		return false; // it is closed
	}
}
