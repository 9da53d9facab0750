import { expect } from "vitest";

/** The properties that tests compare of an error, without its message. */
export function refusal(code: string, syscall: string) {
	return expect.objectContaining({ code, syscall });
}
