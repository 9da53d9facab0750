/**
 * Begins a wait, and returns a promise that also rejects as soon as `signal` is aborted, with the signal's reason.
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
		signal?.throwIfAborted();
		let pending = true;
		const abort = () => {
			giveUp();
			reject(signal?.reason);
		};
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
		if (!pending) return;
		signal?.addEventListener("abort", abort, { once: true });
		if (signal?.aborted) abort(); // `begin` has aborted the signal
	});
}
