import type { Readable } from "node:stream";
import { StringDecoder } from "node:string_decoder";

// Characters of the standard error that a message quotes.
const QUOTED = 1000;

/** What a program has written to one of its streams, up to a number of bytes. */
export class CollectedOutput {
	readonly #chunks: Buffer[] = [];
	#length = 0;
	/** True when more bytes came than are kept. */
	truncated = false;

	/**
	 * @param stream - `null`: nothing comes.
	 * @param most - The number of bytes to keep.
	 * @param tooLong - Called once when more bytes come.
	 */
	constructor(stream: Readable | null, most: number, tooLong: () => void) {
		stream?.on("data", (chunk: Buffer) => {
			const kept = chunk.subarray(0, most - this.#length);
			if (kept.length > 0) this.#chunks.push(kept);
			this.#length += kept.length;
			if (kept.length === chunk.length || this.truncated) return;
			this.truncated = true;
			tooLong();
		});
	}

	bytes(): Buffer {
		return Buffer.concat(this.#chunks);
	}

	/** Returns the text without a last character of which the rest was cut off. */
	text(): string {
		return this.truncated ? new StringDecoder("utf8").write(this.bytes()) : this.bytes().toString();
	}

	/** Returns the end of the text, for a message. */
	tail(): string {
		const text = this.text().trimEnd();
		return text && `: ${text.length > QUOTED ? "…" : ""}${text.slice(-QUOTED)}`;
	}
}
