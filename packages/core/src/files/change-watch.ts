import { abortable } from "../abortable.ts";
import { forget, listen } from "../addon/events.ts";
import { keepAlive } from "../addon/keep-alive.ts";
import { native } from "../addon/native.ts";
import { ClosedError } from "../errors.ts";
import { nearTask } from "../target/target.ts";
import { type FileDescriptor, whenForgotten } from "./descriptor.ts";

/** A call of {@link ChangeWatch.changed} that waits. */
interface Waiter {
	readonly resolve: (changed: boolean) => void;
	readonly reject: (reason: unknown) => void;
}

/**
 * Waits for changes that the kernel reports by EPOLLPRI: of a file of cgroup v2 since it was read last, of a trigger of pressure
 * that was written to the descriptor, of `/proc/self/mounts`.
 *
 * The watch is one-shot. After a change it does nothing until {@link ChangeWatch.changed} is called again, so that the changes in
 * between come as one. Read the file before that call: a file of cgroup v2 stays changed until then.
 *
 * The reactor has a copy of the descriptor, which shares the position and what was read last. The watch keeps the event loop alive
 * while a call waits.
 */
export class ChangeWatch implements Disposable {
	#id: number | undefined;
	#waiters = new Set<Waiter>();
	/** True while the reactor waits for the next change. */
	#armed = true;
	/** True when a change has come for which nobody has waited. */
	#hasChanged = false;
	#closed: ClosedError | undefined;
	readonly #ignoreEnd: () => void;

	/**
	 * @param fd - A descriptor of this process, which stays the caller's. The watch ends when it is closed.
	 * @throws `EPERM` The file is one that epoll(7) does not take.
	 */
	constructor(fd: FileDescriptor) {
		// Other code could close the original by its number, and the number could then belong to another file.
		const copy = nearTask().run(() => fd.dup({ min: 3 }));
		try {
			this.#id = native().watchChange(copy.fd); // takes the number over, also when it fails
		} finally {
			copy.take();
		}
		listen(this.#id, () => this.#tell());
		this.#ignoreEnd = whenForgotten(fd, () => this.#end(true));
	}

	/**
	 * Resolves when the file has changed.
	 *
	 * @param signal - Gives this wait up, and leaves the watch as it is.
	 * @returns `false` when the watch was ended by `using`.
	 * @throws `ERR_NEARFAR_CLOSED` The descriptor was closed or given up.
	 * @throws `ABORT_ERR` `signal` was aborted.
	 */
	async changed(signal?: AbortSignal): Promise<boolean> {
		return abortable<boolean>(signal, (resolve, reject) => {
			const waiter = { resolve, reject };
			if (this.#closed) reject(this.#closed);
			else if (this.#id === undefined) resolve(false);
			else if (this.#hasChanged) {
				this.#hasChanged = false;
				resolve(true);
			} else {
				if (!this.#armed) native().watchAgain(this.#id);
				this.#armed = true;
				if (this.#waiters.size === 0) keepAlive(1);
				this.#waiters.add(waiter);
			}
			return () => {
				if (this.#waiters.delete(waiter) && this.#waiters.size === 0) keepAlive(-1);
			};
		});
	}

	/** Ends the watch, and every wait. The descriptor stays open. */
	[Symbol.dispose](): void {
		this.#end(false);
	}

	#end(wasClosed: boolean): void {
		if (this.#id === undefined) return;
		forget(this.#id);
		native().unwatchReady(this.#id);
		this.#id = undefined;
		this.#ignoreEnd();
		if (wasClosed) this.#closed = new ClosedError("cannot watch a descriptor any more: it was closed or given up");
		for (const { resolve, reject } of this.#takeWaiters()) {
			if (this.#closed) reject(this.#closed);
			else resolve(false);
		}
	}

	#tell(): void {
		this.#armed = false;
		const waiters = this.#takeWaiters();
		this.#hasChanged = waiters.size === 0;
		for (const { resolve } of waiters) resolve(true);
	}

	#takeWaiters(): ReadonlySet<Waiter> {
		const waiters = this.#waiters;
		this.#waiters = new Set();
		if (waiters.size > 0) keepAlive(-1);
		return waiters;
	}
}
