import { spawn } from "node:child_process";
import { once } from "node:events";
import { setTimeout } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { expect } from "vitest";
import { needs } from "../../../../test/needs.ts";
import { stat } from "../../../../test/processes.ts";
import { type ChildProcess, Task } from "../../src/index.ts";

const tracer = fileURLToPath(new URL("../../../../test/tracer.py", import.meta.url));

needs("a process that another one may trace").test.each([
	["Node", () => Task.clone()],
	["a task", (parent: Task) => parent.clone()],
	[
		"a supervisor",
		async (parent: Task) => {
			const task = await parent.clone();
			parent.supervise(task.process);
			return task;
		},
	],
])("a dead child of %s that a tracer holds costs no CPU, and has ended when the tracer lets go", async (_, clone) => {
	await using parent = await Task.clone();
	const task = await clone(parent);
	await using child = task.exec("sleep", ["sleep", "1000"]);
	const python = spawn("python3", [tracer, `${child.pid}`], { stdio: ["pipe", "pipe", "inherit"] });
	const closed = once(python, "close");
	try {
		await once(python.stdout, "data");
		child.kill("SIGKILL");
		await expect.poll(() => stat(child.pid)?.state).toBe("Z");
		const before = ticks(parent.process);
		// A process that spins uses up to 100 ticks meanwhile, and on a busy machine 20. Only the CPU time shows that.
		await setTimeout(1000);
		expect(ticks(parent.process) - before).toBeLessThan(10);
		expect(child.death).toBeUndefined();
	} finally {
		python.stdin.end();
		await closed;
	}
	expect(await child.exited).toMatchObject({ code: null, signal: "SIGKILL" });
});

/** Returns the CPU time of this process and of another one, in hundredths of a second. */
function ticks({ pid }: ChildProcess): number {
	const { user, system } = process.cpuUsage();
	const fields = stat
		.line(pid)
		.replace(/^.*\) /s, "")
		.split(" ");
	const [UTIME, STIME] = [11, 12]; // proc(5) counts from 1 and calls these fields 14 and 15, the state 3
	return (user + system) / 10_000 + Number(fields[UTIME]) + Number(fields[STIME]);
}
