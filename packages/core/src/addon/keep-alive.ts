import { native } from "./native.ts";

// Taken at import: fake clocks of other people's tests replace `process.nextTick` and `queueMicrotask`.
const { nextTick } = process;
const resolved = Promise.resolve();

let reasons = 0;
let alive = false;
let scheduled = false;

/**
 * Adds or removes one reason to keep the event loop alive.
 *
 * @param change - 1 for one reason more, -1 for one less.
 */
export function keepAlive(change: 1 | -1): void {
	reasons += change;
	if (!alive) update();
	if (reasons > 0 || scheduled) return;
	// A program that waits for one thing after another ends one wait and begins the next in the same turn. The addon is
	// told after everything that the present event has set off, and mostly nothing has changed by then.
	scheduled = true;
	void resolved.then(() => nextTick(update));
}

function update(): void {
	scheduled = false;
	const wanted = reasons > 0;
	if (wanted !== alive) native().keepAlive(wanted);
	alive = wanted;
}
