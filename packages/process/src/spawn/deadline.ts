import { NearfarError } from "@nearfar/core";
import { abortable, abortError } from "@nearfar/core/internal";

/**
 * The end of the time that a program may take: when a signal is aborted, after a timeout, the earlier of both, or
 * never.
 */
export class Deadline {
	/**
	 * Aborted, with the error to throw as its reason, when the deadline passes. `undefined`: the deadline never passes.
	 */
	readonly signal: AbortSignal | undefined;
	readonly #callersSignal: AbortSignal | undefined;
	readonly #passed: AbortController | undefined;
	readonly #abort = () => this.#callersSignal && this.#passed?.abort(abortError(this.#callersSignal));
	#timer: NodeJS.Timeout | undefined;
	#listener = () => {};

	/**
	 * @param signal - The caller's signal, which may have been aborted already.
	 * @param timeout - Milliseconds from now; 0: no timeout.
	 * @param program - The name of the program for the error message.
	 */
	constructor(signal: AbortSignal | undefined, timeout: number, program: string) {
		if (!signal && timeout === 0) return;
		this.#callersSignal = signal;
		this.#passed = new AbortController();
		this.signal = this.#passed.signal;
		if (signal?.aborted) this.#abort();
		signal?.addEventListener("abort", this.#abort, { once: true });
		if (timeout > 0) this.#timer = setTimeout(() => this.#passed?.abort(timeoutError(timeout, program)), timeout);
	}

	/**
	 * Calls `start` and returns a promise with the same result, which rejects early when the deadline passes before.
	 *
	 * @param start - Not called when the deadline has passed already.
	 */
	async race<T>(start: () => Promise<T>): Promise<T> {
		if (!this.signal) return start();
		return abortable<T>(this.signal, (resolve, reject) => {
			start().then(resolve, reject);
			return () => {}; // what `start` began goes on, and its result is dropped
		});
	}

	/**
	 * Returns the error for the caller. A call that the deadline has ended rejects with an `AbortError` whose cause is the reason
	 * of {@link Deadline.signal}. The caller gets that reason. Any other error is returned as it is.
	 */
	toThrown(error: unknown): unknown {
		const reason: unknown = this.signal?.reason;
		return reason !== undefined && error instanceof Error && error.cause === reason ? reason : error;
	}

	/**
	 * Calls `listener` when the deadline passes, or now if it has passed. From now on the timer does not keep the event
	 * loop alive.
	 */
	whenPassed(listener: () => void): void {
		this.#listener = listener;
		this.signal?.addEventListener("abort", listener, { once: true });
		this.#timer?.unref();
		if (this.signal?.aborted) listener();
	}

	/** Stops the timer and removes all listeners: the deadline does not pass any more. */
	end(): void {
		this.signal?.removeEventListener("abort", this.#listener);
		clearTimeout(this.#timer);
		this.#callersSignal?.removeEventListener("abort", this.#abort);
	}
}

function timeoutError(timeout: number, program: string): Error {
	return new NearfarError("TIMEOUT", `cannot start ${program} within the ${timeout} ms of options.timeout`);
}
