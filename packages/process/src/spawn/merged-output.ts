import type { Readable } from "node:stream";

/** A piece of a program's output. */
export interface OutputChunk {
	/** The descriptor that the program has written to. */
	stream: "stdout" | "stderr";
	/** What it has written: a `Buffer`, or a string after `setEncoding`. */
	data: Buffer | string;
}

// Pieces. Above this number the streams are paused until the consumer has taken all of them.
const MOST = 16;

/** Yields the pieces of both streams in the order in which they arrive in this process. Destroys both at the end. */
export async function* mergeOutput(
	stdout: Readable | null,
	stderr: Readable | null,
): AsyncGenerator<OutputChunk, void> {
	const streams = { stdout, stderr };
	const arrived: OutputChunk[] = [];
	const open = new Set<Readable>();
	let failure: { error: unknown } | undefined;
	let wake = () => {};
	for (const name of ["stdout", "stderr"] as const) {
		const stream = streams[name];
		if (!stream || stream.destroyed) continue;
		open.add(stream);
		stream.on("data", (data) => {
			arrived.push({ stream: name, data });
			if (arrived.length >= MOST) for (const one of open) one.pause();
			wake();
		});
		stream.once("error", (error) => {
			failure = { error };
			wake();
		});
		stream.once("close", () => {
			open.delete(stream);
			wake();
		});
	}
	try {
		for (;;) {
			for (let chunk = arrived.shift(); chunk; chunk = arrived.shift()) yield chunk;
			if (failure) throw failure.error;
			if (open.size === 0) return;
			for (const stream of open) stream.resume();
			await new Promise<void>((resolve) => {
				wake = resolve;
			});
		}
	} finally {
		for (const stream of open) stream.destroy();
	}
}
