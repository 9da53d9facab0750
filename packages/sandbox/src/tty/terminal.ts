import { Duplex } from "node:stream";
import { type FileDescriptor, SyscallError, Task } from "@nearfar/core";
import { setSize } from "./open.ts";
import type { Pty } from "./pty.ts";
import { Readiness } from "./readiness.ts";
import { checkSize } from "./size.ts";

const CHUNK = 16_384; // bytes: four times what a terminal holds for its reader
/** Reads in one turn of the event loop. A command that writes without end leaves time for everything else. */
const MOST_READS = 16;
/** Bytes: more than the buffers of a terminal hold. */
const CAPACITY = 1024 * 1024;
const [END_OF_FILE, LINE_FEED, RETURN] = [0x04, 0x0a, 0x0d];

/** The stream of the master of a pseudoterminal. */
export class Terminal extends Duplex implements Pty {
	readonly #master: FileDescriptor;
	readonly #readable: Readiness;
	readonly #writable: Readiness;
	#wanted = false;
	#ended = false;
	#unwritten: { bytes: Buffer; done: () => void } | undefined;
	#last = LINE_FEED;

	/** @param master - A descriptor of this process, which the stream closes. */
	constructor(master: FileDescriptor) {
		super({ readableHighWaterMark: 65_536 });
		this.#master = master;
		Task.near.run(() => {
			master.blocking = false;
		});
		this.#readable = new Readiness(master, "read", () => this.#attempt(() => this.#readSome()));
		this.#writable = new Readiness(master, "write", () => this.#attempt(() => this.#writeSome()));
	}

	resize(columns: number, rows: number): void {
		const size = checkSize({ columns, rows }, "");
		if (!this.#master.closed) Task.near.run(() => setSize(this.#master, size));
	}

	/** Takes what the terminal still shows, and closes the terminal. Called when the command has ended. */
	hangUp(): void {
		if (this.#master.closed) return;
		this.#attempt(() => {
			for (let taken = 0; taken < CAPACITY && !this.#ended; ) {
				const chunk = this.#read();
				if (!chunk) break;
				taken += chunk.length;
				this.push(chunk);
			}
		});
		this.#finishReading();
		this.#close();
		if (this.destroyed) return;
		if (this.readableEnded) this.destroy();
		else this.once("end", () => this.destroy());
	}

	override _read(): void {
		this.#wanted = true;
		if (!this.#ended) this.#attempt(() => this.#readable.wait());
	}

	override _write(bytes: Buffer, _encoding: BufferEncoding, done: () => void): void {
		this.#last = bytes.at(-1) ?? this.#last;
		this.#type(bytes, done);
	}

	override _final(done: () => void): void {
		// By the first one a program gets the line that is not complete, and by the second the end of file.
		const isComplete = this.#last === LINE_FEED || this.#last === RETURN;
		this.#type(Buffer.from(isComplete ? [END_OF_FILE] : [END_OF_FILE, END_OF_FILE]), done);
	}

	override _destroy(error: Error | null, done: (error: Error | null) => void): void {
		// A stream that has come to its end is destroyed too, and the command may go on: its terminal stays until its end.
		if (!this.#ended) this.#close();
		this.#ended = true;
		done(error);
	}

	#attempt(action: () => void): void {
		try {
			action();
		} catch (error) {
			this.destroy(error as Error);
		}
	}

	#readSome(): void {
		for (let reads = 0; this.#wanted && reads < MOST_READS; reads++) {
			const chunk = this.#read();
			if (chunk === undefined) break;
			if (chunk) this.#wanted = this.push(chunk);
			else this.#finishReading();
		}
		if (this.#wanted) this.#readable.wait();
	}

	/** Reads once. `undefined`: nothing is there now. `null`: no process has the terminal open any more. */
	#read(): Buffer | undefined | null {
		const chunk = this.#unlessRefused(() => this.#master.read(CHUNK));
		return chunk === "EAGAIN" ? undefined : chunk;
	}

	#finishReading(): void {
		this.#readable.close();
		this.#wanted = false;
		if (!this.#ended) this.push(null);
		this.#ended = true;
	}

	#type(bytes: Buffer, done: () => void): void {
		this.#unwritten = { bytes, done };
		this.#attempt(() => this.#writeSome());
	}

	#writeSome(): void {
		const unwritten = this.#unwritten;
		if (!unwritten) return;
		const count = this.#unlessRefused(() => this.#master.write(unwritten.bytes));
		if (count !== null) unwritten.bytes = unwritten.bytes.subarray(count === "EAGAIN" ? 0 : count);
		if (count !== null && unwritten.bytes.length > 0) {
			this.#writable.wait();
			return;
		}
		this.#unwritten = undefined; // with `null` nobody reads it any more
		unwritten.done();
	}

	/** Makes a call. `null`: no process has the terminal open any more. */
	#unlessRefused<T>(call: () => T): T | "EAGAIN" | null {
		if (this.#master.closed) return null;
		try {
			return Task.near.run(call);
		} catch (error) {
			if (!(error instanceof SyscallError)) throw error;
			if (error.code === "EAGAIN") return error.code;
			if (error.code === "EIO") return null;
			throw error;
		}
	}

	#close(): void {
		this.#readable.close();
		this.#writable.close();
		this.#master.close();
		this.#writeSome(); // somebody may wait for room
	}
}
