import { readFileSync } from "node:fs";
import { setImmediate } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { needs } from "../../../../test/needs.ts";
import { stat } from "../../../../test/processes.ts";
import { reason } from "../../../../test/reason.ts";
import { Task } from "../../src/index.ts";

const status = (pid: number, name: string) =>
	new RegExp(`^${name}:\\s*(.*)$`, "m").exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
const [sigaction, sigprocmask] = process.arch === "x64" ? [13, 14] : [134, 135];
const ignore = (task: Task, signal: number) => {
	const action = Buffer.alloc(32);
	action.writeBigUInt64LE(1n); // SIG_IGN
	task.syscall(sigaction, signal, action, 0, 8);
};

const dead = { code: "ERR_NEARFAR_CHILD_DEAD", state: { state: "killed", signal: "SIGKILL" } };
// Without a turn of the event loop, no event arrives meanwhile.
const refusal = async (use: () => unknown) => {
	for (;;) {
		const refused = await reason(use);
		if (refused && (refused as NodeJS.ErrnoException).code !== "ESRCH") return refused;
		if (refused) expect(use.name).toBe("bound killpg"); // the child leads no process group
	}
};

describe("a child of a task that is gone", () => {
	test.each(["exec", "death"])("by %s: stops are ECHILD, and this process is as before", async (how) => {
		const outer = await Task.clone();
		await using inner = await outer.clone();
		if (how === "exec") outer.exec("/bin/sleep", ["sleep", "1000"]);
		else await outer[Symbol.asyncDispose]();
		const none = { code: "ECHILD", syscall: "waitid" };
		expect(await reason(() => inner.process.poll({ stopped: true }))).toMatchObject(none);
		expect(await reason(() => inner.process.wait({ continued: true }))).toMatchObject(none);
		expect(inner.process.poll()).toBeUndefined();
		expect(Task.near.state).toBe("live");
		await outer.process[Symbol.asyncDispose]();
	});

	test("after its end every method says ChildDeadError with its state, also before Node was told", async () => {
		for (const use of ["kill", "getpgid", "getpriority", "killpg"] as const) {
			const outer = await Task.clone();
			const inner = await outer.clone();
			await outer[Symbol.asyncDispose]();
			inner.process.kill("SIGKILL");
			expect(await refusal(inner.process[use].bind(inner.process))).toMatchObject(dead);
		}
	});
});

test("a child of a task, after its end: ChildDeadError with its state before Node was told", async () => {
	await using outer = await Task.clone();
	for (const use of ["kill", "getpgid", "getpriority", "killpg"] as const) {
		const inner = await outer.clone();
		inner.process.kill("SIGKILL");
		while (stat(inner.pid)); // until the parent has reaped the process
		expect(await reason(() => inner.process[use]())).toMatchObject(dead);
	}
});

test("a child of a task that waits for stops: ECHILD, its parent alone hears of them and poll asks it", async () => {
	await using outer = await Task.clone();
	await using inner = await outer.clone();
	const refused = await reason(() => inner.process.wait({ stopped: true }));
	expect(refused).toMatchObject({ code: "ECHILD", syscall: "waitid", hint: expect.stringContaining("poll") });
});

describe("a task that ignores SIGCHLD (Linux 6.15)", () => {
	needs("Linux 6.15").test("its children reap themselves, and their status is known", async () => {
		await using outer = await Task.clone();
		ignore(outer, 17);
		for (const code of [0, 7, 200]) {
			const inner = await outer.clone();
			expect(await inner.exit(code)).toEqual({ code, signal: null, dumped: false });
			expect(stat(inner.pid)).toBeUndefined();
		}
		const inner = await outer.clone();
		inner.process.kill("SIGKILL");
		expect(await inner.process.exited).toEqual({ code: null, signal: "SIGKILL", dumped: false });
	});

	test("a program in such a child inherits nothing of what is ignored and blocked", async () => {
		await using outer = await Task.clone();
		for (const signal of [10, 17]) ignore(outer, signal);
		outer.syscall(sigprocmask, 2, Buffer.alloc(8, 0xff), 0, 8);
		const inner = await outer.clone();
		await using child = inner.exec("/bin/sleep", ["sleep", "1000"]);
		while (status(child.pid, "Name") !== "sleep") await setImmediate();
		for (const name of ["SigBlk", "SigIgn"]) expect(status(child.pid, name)).toMatch(/^0+$/);
	});
});
