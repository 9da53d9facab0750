import type { Event } from "../../native/binding.js";
import { forget, listen, postpone } from "./events.ts";
import { keepAlive } from "./keep-alive.ts";

// Requests whose reply no longer keeps the event loop alive. The reply is still received.
const abandoned = new Set<number>();

/** Resolves with the reply to request `id`. The event loop stays alive until then, or until {@link abandon} is called. */
export function once(id: number): Promise<Event> {
	return new Promise((resolve) => {
		keepAlive(1);
		listen(id, (event) => {
			// The reactor may see a task die before it reads the reply that the task was cloned.
			if (event.kind === "death" || event.kind === "state") {
				postpone(event);
				return;
			}
			forget(id);
			if (!abandoned.delete(id)) keepAlive(-1);
			resolve(event);
		});
	});
}

/** Lets the event loop end before the reply to request `id` arrives. */
export function abandon(id: number): void {
	abandoned.add(id);
	keepAlive(-1);
}
