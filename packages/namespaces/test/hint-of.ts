import type { SyscallError } from "@nearfar/core";
import { expect } from "vitest";
import { reason } from "../../../test/reason.ts";

/** Returns the hint of a refused call, whose error has this code. The message leaves the hint out. */
export async function hintOf(code: string, syscall: string, call: () => unknown): Promise<string> {
	const error = (await reason(call)) as SyscallError;
	expect(error).toMatchObject({ code, syscall });
	expect(error.message).not.toContain(error.hint);
	return error.hint ?? "";
}
