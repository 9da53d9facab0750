// Not looked up later: tests of others put clocks of their own in its place.
const { setTimeout } = globalThis;

const PATIENCE = 100; // milliseconds

/** Calls `fn` when what mostly happens at once has had its time. The event loop does not stay alive for that. */
export function later(fn: () => void): void {
	setTimeout(fn, PATIENCE).unref();
}
