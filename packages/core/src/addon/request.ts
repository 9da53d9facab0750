import type { Event } from "../../native/binding.js";
import { forget, listen } from "./events.ts";
import { keepAlive } from "./keep-alive.ts";

// Requests whose reply has not come, and keeps the event loop alive.
const awaited = new Set<number>();

/**
 * Resolves with the reply to request `id`. The event loop stays alive until then, or until {@link abandon} is called.
 *
 * @param receive - Called with the reply before any later event is delivered, so that `receive` can listen to the same id.
 * The id of a new task is also that of the request to clone it.
 */
export function once(id: number, receive?: (reply: Event) => void): Promise<Event> {
	return new Promise((resolve, reject) => {
		keepAlive(1);
		awaited.add(id);
		listen(id, (reply) => {
			forget(id);
			abandon(id);
			try {
				receive?.(reply);
				resolve(reply);
			} catch (error) {
				reject(error);
			}
		});
	});
}

/** Lets the event loop end before the reply to request `id` arrives. The reply is still received. Does nothing after it has come. */
export function abandon(id: number): void {
	if (awaited.delete(id)) keepAlive(-1);
}
