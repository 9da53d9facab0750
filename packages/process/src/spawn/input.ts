import { isReadable, type Readable, type Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { wrongType } from "@nearfar/core/internal";

/** What a program can get as its standard input. */
export type Input = string | Uint8Array | Readable;

/** The standard input of a program that `run` starts. */
export class InputSource {
	readonly #input: Input;
	#stdin: Writable | undefined;
	#fault: Error | undefined;

	/**
	 * Checks the input. From now on the failure of a stream is noted, because it may come while the program is being started.
	 *
	 * @throws `TypeError` The input is neither text nor bytes nor a stream of Node.
	 */
	constructor(input: Input) {
		this.#input = input;
		if (isData(input)) return;
		if (!isReadable(input) || typeof input.pipe !== "function") {
			throw wrongType("options.input", "a string, a Uint8Array or a readable stream of Node", input);
		}
		const note = (fault: Error) => {
			// Once the program has closed its standard input, `pipeline` destroys the stream too.
			if (!this.#stdin?.destroyed) this.#fault ??= fault;
		};
		input.once("error", note);
		input.once("close", () => input.readableEnded || note(cutOff()));
	}

	/** Writes the input to a program, and ends it. A program that reads less than all of it is no error. */
	async writeTo(stdin: Writable): Promise<void> {
		this.#stdin = stdin;
		await write(stdin, isData(this.#input) ? [this.#input] : this.#input);
		// The program must not take a part of the input for the whole.
		if (this.#fault) throw this.#fault;
	}

	/** Destroys a stream that no program reads. */
	destroy(): void {
		if (!isData(this.#input)) this.#input.destroy();
	}
}

function isData(input: Input): input is string | Uint8Array {
	return typeof input === "string" || input instanceof Uint8Array;
}

function cutOff(): Error {
	return new Error("options.input was destroyed before its end");
}

async function write(stdin: Writable, source: Readable | Iterable<string | Uint8Array>): Promise<void> {
	try {
		await pipeline(source, stdin);
	} catch (error) {
		if (!programClosedIt.has((error as NodeJS.ErrnoException).code)) throw error;
	}
}

const programClosedIt = new Set<unknown>([
	"EPIPE",
	"ECONNRESET",
	"ERR_STREAM_PREMATURE_CLOSE",
	"ERR_STREAM_DESTROYED",
	"ECANCELED", // of Deno, for a write that was under way when the stream was destroyed
	"ERR_SOCKET_CLOSED", // of Bun, for the same
]);
