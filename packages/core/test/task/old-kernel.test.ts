import { expect } from "vitest";
import { runFixtureIn } from "../../../../test/fixture-in-task.ts";
import { needs } from "../../../../test/needs.ts";
import { forbid } from "../../../../test/seccomp.ts";
import { Task } from "../../src/index.ts";

const CLOSE_RANGE = 436;

// A zygote closes all descriptors from 0 on, and a task that executes those from 3 on.
needs("/proc").test.each([
	["EINVAL", 22, "Linux 5.10, without CLOSE_RANGE_CLOEXEC"],
	["ENOSYS", 38, "Linux 5.8, without close_range"],
])("%s before Linux 5.11 says which kernel tasks need", async (code, errno) => {
	const task = await Task.clone();
	forbid(task, CLOSE_RANGE, errno, 0);
	const { report } = await runFixtureIn(task, "core/old-kernel");
	expect(report).toEqual([
		{ name: "SyscallError", code, syscall: "close_range", sentences: 1 },
		{ name: "SyscallError", code, syscall: "close_range", sentences: 1 },
	]);
});
