import { EventEmitter } from "node:events";
import type { Readable } from "node:stream";

/** Bytes: more than a pipe or a pair of sockets holds. */
const CAPACITY = 4 * 1024 * 1024;
/** In one turn of the event loop all streams are read. The first turn may have read them already. */
const IDLE_TURNS = 3;

/** What a command writes to one of its streams. */
export class Output {
	readonly #stream: Readable | null;
	readonly #chunks: Buffer[] = [];
	#seen = 0;
	truncated = false;

	/**
	 * @param stream - `null`: nothing comes.
	 * @param most - The number of bytes to keep.
	 * @param collected - Whether the bytes are kept. Otherwise the stream is the caller's to read, and they are counted.
	 * @param tooLong - Called once when more bytes come.
	 */
	constructor(stream: Readable | null, most: number, collected: boolean, tooLong: () => void) {
		this.#stream = stream;
		if (!stream) return;
		stream.on("error", () => {}); // a stream that fails has ended, and what came before counts
		const take = (chunk: Buffer | string) => {
			const room = most - this.#seen;
			this.#seen += Buffer.byteLength(chunk); // of a caller's stream, it may be text
			if (collected && room > 0) this.#chunks.push((chunk as Buffer).subarray(0, room));
			if (this.#seen <= most || this.truncated) return;
			this.truncated = true;
			tooLong();
		};
		// The method of streams would begin to read, and the caller may not listen yet.
		if (collected) stream.on("data", take);
		else EventEmitter.prototype.on.call(stream, "data", take);
	}

	bytes(): Buffer {
		return Buffer.concat(this.#chunks);
	}

	/**
	 * Takes what the command has written before its end, and destroys the stream. Another process may hold the stream open: the end of
	 * the stream is not waited for.
	 */
	async drain(): Promise<void> {
		const stream = this.#stream;
		if (!stream) return;
		const first = this.#seen;
		let [before, idle] = [this.#seen, 0];
		while (!stream.closed && !stream.readableEnded && idle < IDLE_TURNS && this.#seen - first < CAPACITY) {
			await new Promise((resolve) => setImmediate(resolve));
			idle = this.#seen === before ? idle + 1 : 0;
			before = this.#seen;
		}
		stream.destroy();
	}
}
