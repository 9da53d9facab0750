// Taken at import: fake clocks of other people's tests replace the global.
const { setTimeout } = globalThis;

const PATIENCE = 100; // milliseconds

/** Calls `fn` after 100 ms, a time in which a task that is neither busy nor stopped replies. Does not keep the event loop alive. */
export function afterPatience(fn: () => void): void {
	setTimeout(fn, PATIENCE).unref();
}
