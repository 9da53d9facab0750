import type { FileDescriptor } from "@nearfar/core";
import { ChangeWatch } from "@nearfar/core/internal";

/** Waits for changes of some files of a cgroup. Read a file before waiting: a file stays changed until it is read. */
export class Changes implements Disposable {
	readonly #watches: readonly ChangeWatch[];
	#ended = false;

	/** @param files - Files that were read. They stay the caller's. */
	constructor(files: readonly FileDescriptor[]) {
		const watches: ChangeWatch[] = [];
		this.#watches = watches;
		try {
			for (const file of files) watches.push(new ChangeWatch(file));
		} catch (error) {
			this[Symbol.dispose]();
			throw error;
		}
	}

	/**
	 * Resolves with true after a change, or after a while without one. Resolves with false when the wait was ended by dispose.
	 *
	 * @param milliseconds - The longest wait. Default: no limit.
	 */
	async next(milliseconds?: number): Promise<boolean> {
		if (this.#ended) return false;
		const stop = new AbortController();
		const timer = milliseconds === undefined ? undefined : setTimeout(() => stop.abort(), milliseconds);
		try {
			return await Promise.race(this.#watches.map((watch) => watch.changed(stop.signal)));
		} catch (error) {
			if (!stop.signal.aborted) throw error;
			return !this.#ended;
		} finally {
			clearTimeout(timer);
			stop.abort(); // the other files keep the event loop alive no longer
		}
	}

	/** Ends the wait. */
	[Symbol.dispose](): void {
		this.#ended = true;
		for (const watch of this.#watches) watch[Symbol.dispose]();
	}
}
