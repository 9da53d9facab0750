import { expect } from "vitest";

/** What an error is compared with: never its message. */
export function refusal(code: string, syscall: string) {
	return expect.objectContaining({ code, syscall });
}
