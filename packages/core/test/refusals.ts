import { describe, expect, test } from "vitest";
import { refused } from "../../../test/refusal.ts";
import type { Task } from "../src/index.ts";

/** A call that the kernel refuses: what it is, the call on files of a folder, the code and the system call. */
export type Refusal = [what: string, call: (at: (name: string) => string) => void, code: string, syscall: string];

/** Declares a test near and a test in a task for each refusal. */
export function testRefusals(place: { readonly folder: string; task: Task }, refusals: readonly Refusal[]): void {
	describe.each([["near"], ["far"]])("%s", (where) => {
		test.each(refusals)("%s is refused", (_, call, code, syscall) => {
			const make = () => call((name) => `${place.folder}/${name}`);
			expect(() => (where === "near" ? make() : place.task.run(make))).toThrow(refused(code, syscall));
		});
	});
}
