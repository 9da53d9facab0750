import type { Event } from "../../native/binding.js";

const listeners = new Map<number, (event: Event) => void>();

// Events about a new task that arrive before its object can listen: the task may have died already.
const early = new Map<number, Event[]>();

// Taken at import: fake clocks of other people's tests replace `queueMicrotask`.
const resolved = Promise.resolve();

/** Calls `listener` with every event about `id`, until {@link forget} is called. */
export function listen(id: number, listener: (event: Event) => void): void {
	listeners.set(id, listener);
	const missed = early.get(id);
	if (!missed) return;
	early.delete(id);
	// One microtask later, because the object that listens is still being made.
	void resolved.then(() => {
		for (const event of missed) listener(event);
	});
}

/** Removes the listener of `id`. */
export function forget(id: number): void {
	listeners.delete(id);
}

/** Keeps an event for the next listener of its id. */
export function postpone(event: Event): void {
	early.set(event.id, [...(early.get(event.id) ?? []), event]);
}

/** Calls the listeners of events that the addon has posted. */
export function deliver(events: readonly Event[]): void {
	for (const event of events) {
		const listener = listeners.get(event.id);
		if (listener) listener(event);
		else early.get(event.id)?.push(event);
		if (event.kind !== "cloned") continue;
		if (event.failure) early.delete(event.id);
		else if (!early.has(event.id)) early.set(event.id, []);
	}
}
