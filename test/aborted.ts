import { describe, expect, test } from "vitest";
import { reason } from "./reason.ts";

/**
 * Tests that a function rejects as the promises of Node do when its signal is aborted: with the reason as the cause.
 *
 * @param name - The function.
 * @param call - Calls the function, which has to be pending until the signal is aborted.
 */
export function testAbort(name: string, call: (signal: AbortSignal) => Promise<unknown>): void {
	describe(`an AbortError of ${name} has the reason of the signal as its cause`, () => {
		test.each<[string, unknown]>([
			["that is the default", undefined],
			["that is an error", new Error("enough")],
			["that is a string", "enough"],
		])("%s", async (_, given) => {
			const control = new AbortController();
			const pending = reason(() => call(control.signal));
			control.abort(given);
			expectAbortError(await pending, control.signal);
			expectAbortError(await reason(() => call(control.signal)), control.signal); // aborted before the call
		});
	});
}

function expectAbortError(error: unknown, { reason }: AbortSignal): void {
	expect(error).toBeInstanceOf(Error);
	expect(error).toMatchObject({ name: "AbortError", code: "ABORT_ERR" });
	expect((error as Error).cause).toBe(reason);
}
