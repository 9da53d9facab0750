import { isReadable, type Readable, type Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { wrongType } from "@nearfar/core/internal";

/** What a program can get as its standard input. */
export type Input = string | Uint8Array | Readable;

/** Throws a `TypeError` for anything else than text, bytes or a stream. */
export function checkInput(input: Input): void {
	if (typeof input === "string" || input instanceof Uint8Array || isReadable(input)) return;
	throw wrongType("options.input", "a string, a Uint8Array or a readable stream", input);
}

/** Writes the input to a program, and ends it. A program that reads less than all of it is no error. */
export async function writeInput(stdin: Writable, input: Input = ""): Promise<void> {
	if (typeof input === "string" || input instanceof Uint8Array) return write(stdin, [input]);
	let fault = input.closed && !input.readableEnded ? (input.errored ?? cutOff()) : undefined;
	// Once the program has closed its standard input, `pipeline` destroys the stream too.
	input.once("error", (error) => {
		if (!stdin.destroyed) fault ??= error;
	});
	input.once("close", () => {
		if (!stdin.destroyed && !input.readableEnded) fault ??= cutOff();
	});
	await write(stdin, input);
	// The program must not take a part of the input for the whole.
	if (fault) throw fault;
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
