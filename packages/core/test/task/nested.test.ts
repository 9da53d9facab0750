import { expect, test } from "vitest";
import { needs } from "../../../../test/needs.ts";
import { stat } from "../../../../test/processes.ts";
import { reason } from "../../../../test/reason.ts";
import { openat2, Task } from "../../src/index.ts";

const [getpid, getppid] = process.arch === "x64" ? [39, 110] : [172, 173];

test("CL3-10 a child of a task is its child, and a task like others", async () => {
	await using outer = await Task.clone();
	await using inner = await outer.clone();
	expect(stat(inner.pid)?.parent).toBe(outer.pid);
	expect([inner.syscall(getpid), inner.syscall(getppid)]).toEqual([BigInt(inner.pid), BigInt(outer.pid)]);
	using file = outer.run(() => openat2("/dev/null"));
	expect(() => inner.run(() => file.read(1))).toThrow(
		expect.objectContaining({ code: "ERR_NEARFAR_FD_TABLE_MISMATCH" }),
	);
	await using third = await inner.clone();
	expect(stat(third.pid)?.parent).toBe(inner.pid);
});

test("CL3-10 a child of a pid namespace's init", async () => {
	await using init = await Task.clone({ namespaces: ["user", "pid"] });
	await using inner = await init.clone();
	expect([inner.syscall(getpid), inner.syscall(getppid)]).toEqual([2n, 1n]);
	expect(inner.pidNamespace).toBe(init.pidNamespace);
	expect(stat(inner.pid)?.parent).toBe(init.pid);
	expect(await inner.exit(7)).toEqual({ code: 7, signal: null, dumped: false });
});

test.each([
	[7, { code: 7, signal: null, dumped: false }],
	[0, { code: 0, signal: null, dumped: false }],
	["SIGKILL", { code: null, signal: "SIGKILL", dumped: false }],
] as const)("its end by %s is known: while the parent serves", async (how, status) => {
	await using outer = await Task.clone();
	await using inner = await outer.clone();
	if (typeof how === "string") inner.process.kill(how);
	else expect(await inner.exit(how)).toEqual(status);
	expect(await inner.process.exited).toEqual(status);
	expect(stat(inner.pid)).toBeUndefined();
});

needs("/proc").test.each([
	[7, { code: 7, signal: null, dumped: false }],
	["SIGKILL", { code: null, signal: "SIGKILL", dumped: false }],
] as const)("its end by %s is known: after the parent executed what never waits", async (how, status) => {
	const outer = await Task.clone();
	const inner = await outer.clone();
	await using _program = outer.exec("/bin/sleep", ["sleep", "1000"]);
	expect(inner.syscall(getppid)).toBe(BigInt(outer.pid));
	if (typeof how === "string") inner.process.kill(how);
	else expect(await inner.exit(how)).toEqual(status);
	expect(await inner.process.exited).toEqual(status);
	expect(inner.state).toBe("exited");
});

test.each([
	[7, { code: 7, signal: null, dumped: false }],
	["SIGKILL", { code: null, signal: "SIGKILL", dumped: false }],
] as const)("its end by %s is known: after the parent died", async (how, status) => {
	const outer = await Task.clone();
	const inner = await outer.clone();
	await outer[Symbol.asyncDispose]();
	expect(inner.syscall(getpid)).toBe(BigInt(inner.pid));
	if (typeof how === "string") inner.process.kill(how);
	else expect(await inner.exit(how)).toEqual(status);
	expect(await inner.process.exited).toEqual(status);
});

// Before Linux 6.15 nothing keeps the status of a process that the kernel has reaped with its pid namespace.
needs("Linux 6.15").test("its end is known when it comes with that of its pid namespace", async () => {
	const init = await Task.clone({ namespaces: ["user", "pid"] });
	const inner = await init.clone();
	await init[Symbol.asyncDispose]();
	expect(await inner.process.exited).toEqual({ code: null, signal: "SIGKILL", dumped: false });
	expect(await reason(() => inner.run(() => 1))).toMatchObject({ code: "ERR_NEARFAR_TASK_GONE" });
});

test("a program in it: its exit is known, and its parent's is another", async () => {
	await using init = await Task.clone({ namespaces: ["user", "pid"] });
	const inner = await init.clone();
	const child = inner.exec("/bin/sh", ["sh", "-c", "exit 9"]);
	expect(await child.exited).toEqual({ code: 9, signal: null, dumped: false });
	expect(init.state).toBe("live");
});

test("a child of a task is stopped and continued, and poll tells", async () => {
	await using outer = await Task.clone();
	await using inner = await outer.clone();
	expect(inner.process.poll({ stopped: true })).toBeUndefined();
	inner.process.kill("SIGSTOP");
	let state = inner.process.poll({ stopped: true });
	while (!state) state = inner.process.poll({ stopped: true });
	expect(state).toMatchObject({ state: "stopped", signal: "SIGSTOP", pid: inner.pid });
	inner.process.kill("SIGCONT");
	state = inner.process.poll({ continued: true });
	while (!state) state = inner.process.poll({ continued: true });
	expect(state).toMatchObject({ state: "continued", signal: "SIGCONT" });
});

test("a clone that its task refuses leaves the task usable", async () => {
	await using outer = await Task.clone();
	expect(await reason(() => outer.clone({ setTid: Array.from({ length: 33 }, () => 1) }))).toMatchObject({
		code: "EINVAL",
		syscall: "clone3",
		task: outer.toString(),
	});
	await using inner = await outer.clone();
	expect(inner.state).toBe("live");
});
