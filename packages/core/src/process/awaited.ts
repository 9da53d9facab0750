import { keepAlive } from "../addon/keep-alive.ts";

// Objects that a promise waits for. The promise refers to nothing, so without this set the object could be collected, and
// the promise would never resolve.
const awaited = new Set<object>();

/** Keeps an object, and with it the event loop, alive while promises wait for it. */
export class Awaited {
	readonly #object: object;
	readonly #wanted: () => boolean;
	#refed = true;
	#alive = false;

	/**
	 * @param object - The object to keep.
	 * @param wanted - Returns true when a promise waits for the object now.
	 */
	constructor(object: object, wanted: () => boolean) {
		this.#object = object;
		this.#wanted = wanted;
	}

	/**
	 * Chooses whether waiting keeps the event loop alive.
	 *
	 * @param refed - True to keep the event loop alive.
	 */
	ref(refed: boolean): void {
		this.#refed = refed;
		this.update();
	}

	/** Looks again whether a promise waits. Called when a wait has begun or ended. */
	update(): void {
		const wanted = this.#wanted();
		if (wanted) awaited.add(this.#object);
		else awaited.delete(this.#object);
		const alive = wanted && this.#refed;
		if (alive === this.#alive) return;
		this.#alive = alive;
		keepAlive(alive ? 1 : -1);
	}
}
