import type { Event } from "../../native/binding.js";
import { native } from "./native.ts";

const listeners = new Map<number, (event: Event) => void>();
let waiting = 0;
let alive = false;
let settling = false;

// Not `queueMicrotask`, and not looked up later: tests of others put clocks of their own in the place of both.
const { nextTick } = process;
const soon = (fn: () => void) => void Promise.resolve().then(fn);

// What happened to a new task before anybody could listen: it may have died already.
const early = new Map<number, Event[]>();

/** Calls `listener` with every event about `id`, until {@link forget}. */
export function listen(id: number, listener: (event: Event) => void): void {
	listeners.set(id, listener);
	const missed = early.get(id);
	if (!missed) return;
	early.delete(id);
	// Not now: whoever listens is still being made.
	soon(() => {
		for (const event of missed) listener(event);
	});
}

/** No more events about `id`. */
export function forget(id: number): void {
	listeners.delete(id);
}

// Nobody waits for the events about these any more, but they are heard.
const abandoned = new Set<number>();

/** The event loop does not stay alive any more for a {@link once}. */
export function abandon(id: number): void {
	abandoned.add(id);
	keepAlive(-1);
}

/** Resolves with the one event about request `id`; the event loop stays alive until then. */
export function once(id: number): Promise<Event> {
	return new Promise((resolve) => {
		keepAlive(1);
		listen(id, (event) => {
			// A task can be seen to die before its first words are read.
			if (event.kind === "death" || event.kind === "state") {
				early.set(id, [...(early.get(id) ?? []), event]);
				return;
			}
			forget(id);
			if (!abandoned.delete(id)) keepAlive(-1);
			resolve(event);
		});
	});
}

/** One more, or one less, reason to keep the event loop alive. */
export function keepAlive(change: 1 | -1): void {
	waiting += change;
	if (!alive) setAlive();
	if (waiting > 0 || settling) return;
	// Who hears of one thing mostly waits for the next: asked when all that this event has set off is done.
	settling = true;
	soon(() => nextTick(setAlive));
}

function setAlive(): void {
	settling = false;
	const wanted = waiting > 0;
	if (wanted !== alive) native().keepAlive(wanted);
	alive = wanted;
}

/** Called by the addon when something has happened, and by whoever cannot wait for that. */
export function dispatch(): void {
	for (const event of native().drain()) {
		const listener = listeners.get(event.id);
		if (listener) listener(event);
		else early.get(event.id)?.push(event);
		if (event.kind !== "cloned") continue;
		if (event.failure) early.delete(event.id);
		else if (!early.has(event.id)) early.set(event.id, []);
	}
}
