import type { Event } from "../../native/binding.js";

const listeners = new Map<number, (event: Event) => void>();

// Events on their way to their listeners, the oldest first.
const undelivered: Event[] = [];

/** Calls `listener` with every event about `id`, until {@link forget} is called or another listener takes its place. */
export function listen(id: number, listener: (event: Event) => void): void {
	listeners.set(id, listener);
}

/** Removes the listener of `id`. */
export function forget(id: number): void {
	listeners.delete(id);
}

/** Calls the listeners of events that the addon has posted. */
export function deliver(events: readonly Event[]): void {
	// A listener may call `deliver` itself. Its new events must not overtake the rest of these.
	undelivered.push(...events);
	for (let event = undelivered.shift(); event; event = undelivered.shift()) listeners.get(event.id)?.(event);
}
