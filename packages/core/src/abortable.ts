import { outsideOtherCopies } from "./copies.ts";

/** Returns the error for what a signal has ended, in the shape in which the promises of Node reject. */
export function abortError({ reason }: AbortSignal): Error {
	const error = new Error("The operation was aborted", { cause: reason });
	return Object.assign(error, { name: "AbortError", code: "ABORT_ERR" });
}

/** Throws an `AbortError` if a signal has been aborted. */
export function throwIfAborted(signal: AbortSignal | undefined): void {
	if (signal?.aborted) throw abortError(signal);
}

/**
 * Begins a wait, and returns a promise that also rejects as soon as `signal` is aborted, with an `AbortError`.
 *
 * The listener on the signal is removed when the promise is decided: otherwise a signal that outlives many waits would
 * collect a listener for each of them.
 *
 * @param signal - Aborts the wait. `undefined`: only `begin` decides the promise.
 * @param begin - Begins the wait and returns the function that gives it up, which is called when `signal` is aborted.
 * `begin` is not called when `signal` has been aborted before.
 */
export function abortable<T>(
	signal: AbortSignal | undefined,
	begin: (resolve: (value: T) => void, reject: (reason: unknown) => void) => () => void,
): Promise<T> {
	return new Promise((resolve, reject) => {
		throwIfAborted(signal);
		let pending = true;
		const decide = () => {
			pending = false;
			signal?.removeEventListener("abort", abort);
		};
		const giveUp = begin(
			(value) => {
				decide();
				resolve(value);
			},
			(reason) => {
				decide();
				reject(reason);
			},
		);
		function abort() {
			if (signal) reject(abortError(signal)); // first, so that the promise is decided even if `giveUp` throws
			outsideOtherCopies(giveUp);
		}
		if (!pending) return;
		signal?.addEventListener("abort", abort, { once: true });
		if (signal?.aborted) abort(); // `begin` has aborted the signal
	});
}
