import { NearfarError } from "@nearfar/core";

/** Until when a program may run: an `AbortSignal`, a time, both or neither. */
export class Deadline {
	/** Aborted when it passes, with what to throw then as the reason; `undefined`: it never does. */
	readonly signal: AbortSignal | undefined;
	readonly #signal: AbortSignal | undefined;
	readonly #passed: AbortController | undefined;
	readonly #abort = () => this.#passed?.abort(abortError(this.#signal));
	#timer: NodeJS.Timeout | undefined;
	#late = () => {};

	/**
	 * @param signal - May be aborted already.
	 * @param timeout - Milliseconds from now; 0: none.
	 * @param what - For the message.
	 */
	constructor(signal: AbortSignal | undefined, timeout: number, what: string) {
		if (!signal && timeout === 0) return;
		this.#signal = signal;
		this.#passed = new AbortController();
		this.signal = this.#passed.signal;
		if (signal?.aborted) this.#abort();
		signal?.addEventListener("abort", this.#abort, { once: true });
		if (timeout > 0) this.#timer = setTimeout(() => this.#passed?.abort(timeoutError(timeout, what)), timeout);
	}

	/** Settles as what `start` returns does, or rejects when it passes before: then `start` may not even be called. */
	async race<T>(start: () => Promise<T>): Promise<T> {
		const { signal } = this;
		if (!signal) return start();
		signal.throwIfAborted();
		return new Promise<T>((resolve, reject) => {
			const late = () => reject(signal.reason);
			signal.addEventListener("abort", late, { once: true });
			start()
				.then(resolve, reject)
				.finally(() => signal.removeEventListener("abort", late));
		});
	}

	/** Calls `late` when it passes, or now. The event loop is not kept alive for it. */
	whenPassed(late: () => void): void {
		this.#late = late;
		this.signal?.addEventListener("abort", late, { once: true });
		this.#timer?.unref();
		if (this.signal?.aborted) late();
	}

	/** It matters no more. */
	end(): void {
		this.signal?.removeEventListener("abort", this.#late);
		clearTimeout(this.#timer);
		this.#signal?.removeEventListener("abort", this.#abort);
	}
}

function abortError(signal: AbortSignal | undefined): Error {
	const error = new Error("The operation was aborted", { cause: signal?.reason });
	return Object.assign(error, { name: "AbortError", code: "ABORT_ERR" });
}

function timeoutError(timeout: number, what: string): Error {
	return new NearfarError("TIMEOUT", `${what} could not be started in ${timeout} ms`);
}
