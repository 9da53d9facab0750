// What the errors of prctl(2) and of the limits name.
import { type SyscallError, Task } from "@nearfar/core";
import { describe, expect, test } from "vitest";
import { reason } from "../../../test/reason.ts";
import { type PrctlOption, prctl, prlimit, setrlimit, spawn } from "../src/index.ts";

/** Returns the errors of a call that is refused: near, in a task, and in a batch if a batch can hold the call. */
async function refusals(call: () => unknown, batch = true): Promise<SyscallError[]> {
	await using task = await Task.clone();
	const ways = [call, () => task.run(call), ...(batch ? [() => task.batch(call)] : [])];
	const errors = [];
	for (const way of ways) errors.push((await reason(way)) as SyscallError);
	for (const error of errors.slice(1)) expect(error.message).toContain(`in ${task}`);
	return errors;
}

test.each<[option: PrctlOption | number, args: (number | Uint8Array)[], code: string, words: string]>([
	["setDumpable", [99], "EINVAL", "setDumpable (PR_SET_DUMPABLE)"],
	["getName", [1], "EFAULT", "getName (PR_GET_NAME)"],
	["setThpDisable", [1, 1, 1, 1], "EINVAL", "setThpDisable (PR_SET_THP_DISABLE)"],
	[35, [99], "EINVAL", "prctl 35"], // PR_SET_MM
])("the error of prctl names the option %s", async (option, args, code, words) => {
	for (const error of await refusals(() => prctl(option, ...args), false)) {
		expect(error).toMatchObject({ syscall: "prctl", code: expect.stringMatching(`${code}|EPERM`) });
		expect(error.message).toContain(words);
	}
});

describe("the error of a limit names the resource", () => {
	const wrong = { soft: 2, hard: 1 };

	test("setrlimit", async () => {
		for (const error of await refusals(() => setrlimit("nofile", wrong))) {
			expect(error).toMatchObject({ code: "EINVAL", syscall: "setrlimit" });
			expect(error.message).toContain("setrlimit nofile (RLIMIT_NOFILE)");
		}
	});

	test("prlimit, with the process", async () => {
		for (const error of await refusals(() => prlimit("core", wrong), false)) {
			expect(error).toMatchObject({ code: "EINVAL", syscall: "prlimit" });
			expect(error.message).toContain("core (RLIMIT_CORE)");
		}
	});

	test("options.limits of spawn", async () => {
		const error = (await reason(() => spawn("true", [], { limits: { stack: wrong } }))) as SyscallError;
		expect(error).toMatchObject({ code: "EINVAL", syscall: "setrlimit" });
		expect(error.message).toContain("stack (RLIMIT_STACK)");
	});
});
