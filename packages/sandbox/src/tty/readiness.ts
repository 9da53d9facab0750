import { type FileDescriptor, Task } from "@nearfar/core";
import { forget, listen, native } from "@nearfar/core/internal";

/** Waits for a descriptor of this process to be ready. Does not keep the event loop alive: a running command does. */
export class Readiness {
	readonly #descriptor: FileDescriptor;
	readonly #write: boolean;
	readonly #ready: () => void;
	#id: number | undefined;
	#waiting = false;
	#closed = false;

	/**
	 * @param descriptor - Stays open until {@link close}.
	 * @param how - `"read"`: something is there to read. `"write"`: there is room to write.
	 * @param ready - Called once for each {@link wait}.
	 */
	constructor(descriptor: FileDescriptor, how: "read" | "write", ready: () => void) {
		this.#descriptor = descriptor;
		this.#write = how === "write";
		this.#ready = ready;
	}

	/** Calls `ready` once, in another turn of the event loop. */
	wait(): void {
		if (this.#closed || this.#waiting) return;
		this.#waiting = true;
		if (this.#id === undefined) this.#id = this.#watch();
		else native().watchAgain(this.#id);
	}

	/** Calls `ready` no more. */
	close(): void {
		this.#closed = true;
		if (this.#id === undefined) return;
		forget(this.#id);
		native().unwatchReady(this.#id);
		this.#id = undefined;
	}

	#watch(): number {
		// The reactor watches and closes a copy: its number cannot come to belong to another file meanwhile.
		const copy = Task.near.run(() => this.#descriptor.dup({ min: 3 }));
		try {
			const id = native().watchReady(copy.fd, this.#write); // takes the number over, also when it fails
			listen(id, () => {
				this.#waiting = false;
				this.#ready();
			});
			return id;
		} finally {
			copy.take();
		}
	}
}
