// What the errors of prctl(2) and of the limits name.
import { type SyscallError, Task } from "@nearfar/core";
import { describe, expect, test } from "vitest";
import { needs } from "../../../test/needs.ts";
import { reason } from "../../../test/reason.ts";
import { getrlimit, type PrctlOption, prctl, prlimit, setName, setrlimit, spawn } from "../src/index.ts";

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

describe("a call that is refused before it reaches the kernel names its option too", () => {
	test("near", () => {
		for (const call of [() => setName("x"), () => prctl("setName", new Uint8Array(16))]) {
			expect(call).toThrow(expect.objectContaining({ code: "ERR_NEARFAR_MULTITHREADED" }));
			expect(call).toThrow("setName (PR_SET_NAME)");
		}
	});

	test("in a batch", async () => {
		await using task = await Task.clone();
		const error = (await reason(() => task.batch(() => getrlimit("core")))) as Error;
		expect(error).toMatchObject({ code: "ERR_NEARFAR_BATCH" });
		expect(error.message).toContain("core (RLIMIT_CORE)");
	});
});

needs("root").test(
	"EAGAIN of a program whose new user has too many processes names the limit, and the program",
	async () => {
		await using _ = await spawn("sleep", ["1000"], { uid: 1000, stdio: "ignore" }); // counts before the user is changed
		const error = (await reason(() => spawn("true", [], { uid: 1000, limits: { nproc: 0 } }))) as SyscallError;
		expect(error).toMatchObject({ code: "EAGAIN", syscall: "execve", path: "true" });
		expect(error.message).toContain("RLIMIT_NPROC");
	},
);

test("a clone of this process that is refused inside of task.run is not an error of that task", async () => {
	await using task = await Task.clone();
	const { soft, hard } = getrlimit("nofile");
	let cloning: Promise<unknown> | undefined;
	setrlimit("nofile", { soft: 3, hard });
	try {
		task.run(() => {
			cloning = reason(() => Task.clone());
		});
	} finally {
		setrlimit("nofile", { soft, hard });
	}
	const error = (await cloning) as SyscallError;
	expect(error).toMatchObject({ code: "EMFILE" });
	expect(error.task).toBeUndefined();
});
