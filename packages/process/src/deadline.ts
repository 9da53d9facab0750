import { NearfarError } from "@nearfar/core";

/** Until when a program may run: an `AbortSignal`, a time, both or neither. */
export class Deadline {
	readonly #signal: AbortSignal | undefined;
	readonly #abort = () => this.#pass(abortError(this.#signal));
	#timer: NodeJS.Timeout | undefined;
	#passed: Error | undefined;
	#tell: (error: Error) => void = () => {};

	/**
	 * @param signal - May be aborted already.
	 * @param timeout - Milliseconds from now; 0: none.
	 * @param what - For the message.
	 */
	constructor(signal: AbortSignal | undefined, timeout: number, what: string) {
		this.#signal = signal;
		if (signal?.aborted) this.#abort();
		signal?.addEventListener("abort", this.#abort, { once: true });
		if (timeout > 0) this.#timer = setTimeout(() => this.#pass(timeoutError(timeout, what)), timeout);
	}

	/** Throws once it has passed. */
	check(): void {
		if (this.#passed) throw this.#passed;
	}

	/** Settles as what `start` returns does, or rejects when it passes before: then `start` may not even be called. */
	async race<T>(start: () => Promise<T>): Promise<T> {
		this.check();
		if (!this.#signal && !this.#timer) return start();
		return Promise.race([
			start(),
			new Promise<never>((_, reject) => {
				this.#tell = reject;
			}),
		]);
	}

	/** Calls `late` when it passes, or now. The event loop is not kept alive for it. */
	whenPassed(late: () => void): void {
		this.#tell = late;
		this.#timer?.unref();
		if (this.#passed) late();
	}

	/** It matters no more. */
	end(): void {
		this.#tell = () => {};
		clearTimeout(this.#timer);
		this.#signal?.removeEventListener("abort", this.#abort);
	}

	#pass(error: Error): void {
		this.#passed ??= error;
		this.#tell(this.#passed);
	}
}

function abortError(signal: AbortSignal | undefined): Error {
	const error = new Error("The operation was aborted", { cause: signal?.reason });
	return Object.assign(error, { name: "AbortError", code: "ABORT_ERR" });
}

function timeoutError(timeout: number, what: string): Error {
	return new NearfarError("TIMEOUT", `${what} could not be started in ${timeout} ms`);
}
