import type { Stream } from "node:stream";

/** The parts of a stream that Node's own `spawn` uses when it gives the stream's descriptor to a child. */
export interface NodeStream {
	fd?: unknown;
	_handle?: { fd?: unknown; reading?: boolean; readStop?(): void } | null;
	_readableState?: { reading: boolean };
	on?: unknown;
	pause?(): unknown;
	listenerCount?(event: string): number;
}

/**
 * Stops a stream from reading, so that the program gets whatever arrives from now on.
 *
 * Node's own `spawn` does the same. `pause()` alone is not enough: a socket reads ahead of its consumer.
 */
export function stopReading(stream: NodeStream): void {
	if (stream._handle?.reading) {
		stream._handle.reading = false;
		stream._handle.readStop?.();
	}
	stream.pause?.();
	if (stream._readableState) stream._readableState.reading = false;
	if (stream.listenerCount) hideFromDraining(stream as Stream);
}

/**
 * Makes `stream.readable` false while the stream has no consumer.
 *
 * When a child of `node:child_process` exits, Node reads what is left in those of its streams that are `readable`, and
 * so would take data from the program that now has the descriptor. Node skips a stream that its own `spawn` has given
 * to another child, but marks it with a private symbol that is out of reach here.
 */
function hideFromDraining(stream: Stream): void {
	const prototype = Object.getPrototypeOf(stream);
	const hasConsumer = () => stream.listenerCount("data") + stream.listenerCount("readable") > 0;
	Object.defineProperty(stream, "readable", {
		configurable: true,
		get: () => hasConsumer() && Reflect.get(prototype, "readable", stream),
		set: (value) => Reflect.set(prototype, "readable", value, stream),
	});
}
