import type { Readable, Stream } from "node:stream";
import type { Pipes } from "./stdio.ts";

// Milliseconds. After `STALL` without a byte another process is taken to hold the pipe for ever.
const STALL = 1000;
const LONGEST = 5000;
const LOOK = 50;
const CAPACITY = 4 * 1024 * 1024; // bytes: more than a pipe or a socket pair holds

/** Waits until all streams are closed. Output that nobody reads is dropped, as its stream would never end. */
export async function whenClosed(stdio: Pipes): Promise<void> {
	for (const stream of outputs(stdio)) if (!isRead(stream)) stream.resume();
	await Promise.all(stdio.map((stream) => stream && whenStreamClosed(stream)));
}

/** Destroys the streams that nobody reads. */
export function destroyUnread(stdio: Pipes): void {
	stdio[0]?.destroy();
	for (const stream of outputs(stdio)) if (!isRead(stream)) stream.destroy();
}

/**
 * Waits until the streams that are read have come to their ends. Destroys the others, and a stream from which for a second no
 * byte came and none was taken. Another process may write for ever: a stream is destroyed, too, when everything that was in
 * the pipe at first must have been taken.
 */
export async function readToEnd(stdio: Pipes): Promise<void> {
	destroyUnread(stdio);
	await Promise.all(outputs(stdio).map(whenEndedOrStalled));
}

function outputs([, ...streams]: Pipes): Readable[] {
	return streams.filter((stream) => stream !== null);
}

/** Returns whether a stream is read, or was read before. */
function isRead(stream: Readable): boolean {
	return stream.readableFlowing !== null || stream.listenerCount("readable") > 0;
}

async function whenEndedOrStalled(stream: Readable): Promise<void> {
	const bytesRead = () => (stream as { bytesRead?: number }).bytesRead ?? 0;
	const taken = () => bytesRead() - stream.readableLength;
	const progress = () => `${bytesRead()} ${stream.readableLength}`;
	const [first, began] = [taken(), performance.now()];
	let before = progress();
	let since = began;
	let timer: NodeJS.Timeout | undefined;
	const stalled = new Promise<void>((resolve) => {
		timer = setInterval(() => {
			const now = progress();
			if (now !== before) [before, since] = [now, performance.now()];
			else if (performance.now() - since >= STALL) resolve();
			const isLate = performance.now() - began >= LONGEST && stream.readableLength === 0;
			if (isLate || taken() - first > CAPACITY) resolve();
		}, LOOK);
	});
	await Promise.race([whenStreamClosed(stream), stalled]);
	clearInterval(timer);
	stream.destroy();
}

function whenStreamClosed(stream: Stream & { closed: boolean }): Promise<void> {
	return stream.closed ? Promise.resolve() : new Promise((resolve) => stream.once("close", () => resolve()));
}
