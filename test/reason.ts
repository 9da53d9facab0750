/** Runs `fn` and returns what it throws or rejects with; `undefined` where it does not. */
export async function reason(fn: () => unknown): Promise<unknown> {
	try {
		await fn();
		return undefined;
	} catch (error) {
		return error;
	}
}
