import { keepAlive } from "../addon/keep-alive.ts";

// Somebody waits for these: his promise alone would not keep them, and so himself, from being collected.
const awaited = new Set<object>();

/** Keeps something, and with it the event loop, alive while somebody waits for it. */
export class Awaited {
	readonly #what: object;
	readonly #wanted: () => boolean;
	#refed = true;
	#alive = false;

	/** @param wanted - Whether somebody waits now. */
	constructor(what: object, wanted: () => boolean) {
		this.#what = what;
		this.#wanted = wanted;
	}

	/** Whether waiting keeps the event loop alive. */
	ref(refed: boolean): void {
		this.#refed = refed;
		this.update();
	}

	/** To be called when somebody begins to wait, or ends. */
	update(): void {
		const wanted = this.#wanted();
		if (wanted) awaited.add(this.#what);
		else awaited.delete(this.#what);
		const alive = wanted && this.#refed;
		if (alive === this.#alive) return;
		this.#alive = alive;
		keepAlive(alive ? 1 : -1);
	}
}
