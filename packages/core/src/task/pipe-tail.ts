import type { Buffer } from "node:buffer";
import { forget, listen } from "../addon/events.ts";
import { native } from "../addon/native.ts";
import type { FileDescriptor } from "../files/descriptor.ts";
import { SyscallError } from "../syscall-error.ts";
import { nearTask } from "../target/target.ts";

const KEPT = 16_384; // bytes
const CHUNK = 16_384; // bytes
const MOST_CHUNKS = 64; // the largest pipe of an ordinary user has 1 MiB

/** Reads a pipe while a program writes to it, and keeps the end of the output. Does not keep the event loop alive. */
export class PipeTail implements Disposable {
	readonly #id: number;
	readonly #number: number;
	#tail: Buffer = globalThis.Buffer.alloc(0);

	/** @param read - The end of the pipe to read from, a descriptor of this process that this object takes over. */
	constructor(read: FileDescriptor) {
		nearTask().run(() => {
			read.blocking = false;
		});
		this.#number = read.fd;
		try {
			this.#id = native().watchReady(this.#number, false); // takes the number over, also when it fails
		} finally {
			read.take();
		}
		listen(this.#id, () => {
			if (this.#readChunk() !== 0) native().watchAgain(this.#id);
		});
	}

	/** Returns the end of what was written until now, at most 16 KiB. */
	text(): string {
		for (let chunks = 0; chunks < MOST_CHUNKS && this.#readChunk(); chunks++); // 0: the end, `undefined`: nothing now
		return this.#tail.toString();
	}

	/** Closes the pipe. */
	[Symbol.dispose](): void {
		forget(this.#id);
		native().unwatchReady(this.#id);
	}

	/** Reads once. Returns the number of bytes; 0 at the end of the output, `undefined` if there is nothing to read now. */
	#readChunk(): number | undefined {
		try {
			const chunk = nearTask().run(() => native().read(this.#number, CHUNK));
			this.#tail = globalThis.Buffer.concat([this.#tail, chunk]).subarray(-KEPT);
			return chunk.length;
		} catch (error) {
			if (error instanceof SyscallError && error.code === "EAGAIN") return undefined;
			throw error;
		}
	}
}
