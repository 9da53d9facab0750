import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { ownProc } from "../../../../test/own-proc.ts";
import { stat } from "../../../../test/processes.ts";
import { reason } from "../../../../test/reason.ts";
import { ChildProcess, openat2, Process, pipe, Task } from "../../src/index.ts";

const getpid = process.arch === "x64" ? 39 : 172;
const pidOf = (task: Task | typeof Task.near) => Number(task.syscall(getpid));
const gone = expect.objectContaining({ name: "TaskGoneError", code: "ERR_NEARFAR_TASK_GONE" });

describe("run", () => {
	test("makes calls there, and returns what the function returns", async () => {
		await using task = await Task.clone();
		expect(Task.current()).toBe(Task.near);
		expect(task.run(() => Task.current())).toBe(task);
		expect(task.run(() => task.syscall(getpid))).toBe(BigInt(task.pid));
		expect(task.run(() => undefined)).toBeUndefined();
		expect(pidOf(Task.near)).toBe(process.pid);
		expect(Task.near.run(() => Task.current())).toBe(Task.near);
	});

	test("nests, and restores the outer task, also when the function throws", async () => {
		await using outer = await Task.clone();
		await using inner = await Task.clone();
		const seen = outer.run(() => {
			const before = Task.current();
			expect(() => inner.run(() => Task.near.run(() => expect.fail("thrown")))).toThrow("thrown");
			expect(() => inner.run(() => openat2("/nope"))).toThrow(expect.objectContaining({ task: inner.toString() }));
			using file = openat2(`${ownProc}/self/stat`);
			return [before, inner.run(() => Task.current()), Task.current(), Number.parseInt(`${file.read(20)}`, 10)];
		});
		expect(seen).toEqual([outer, inner, outer, outer.pid]);
		expect(Task.current()).toBe(Task.near);
		using file = openat2(`${ownProc}/self/stat`);
		expect(Number.parseInt(`${file.read(20)}`, 10)).toBe(process.pid);
	});

	test.each([
		["a promise", async () => 1],
		["a rejected one", async () => expect.fail("unseen")],
		// biome-ignore lint/suspicious/noThenProperty: that is the point
		["anything with then", () => ({ then: () => {} })],
	])("refuses %s", async (_, fn) => {
		await using task = await Task.clone();
		expect(() => task.run<unknown>(fn)).toThrow(expect.objectContaining({ name: "TypeError" }));
		expect(await reason(() => task.batch<unknown>(fn))).toMatchObject({ name: "TypeError" });
		expect(Task.current()).toBe(Task.near);
		expect(pidOf(task)).toBe(task.pid);
	});

	test("a failed call leaves the task as usable as before", async () => {
		await using task = await Task.clone();
		for (let i = 0; i < 10; i++) expect(() => task.run(() => openat2("/nope"))).toThrow();
		expect(pidOf(task)).toBe(task.pid);
	});
});

describe("state", () => {
	test("live, then exited; disposing again does nothing", async () => {
		const task = await Task.clone();
		expect([task.state, stat(task.pid)?.parent]).toEqual(["live", process.pid]);
		expect(await task.exit(7)).toEqual({ code: 7, signal: null, dumped: false });
		expect([task.state, stat(task.pid)]).toEqual(["exited", undefined]);
		expect(() => task.run(() => 1)).toThrow(gone);
		expect(() => task.syscall(getpid)).toThrow(gone);
		expect(() => task.exec("/bin/true")).toThrow(gone);
		const status = { code: 7, signal: null, dumped: false };
		expect(await reason(() => task.exit())).toMatchObject({ code: "ERR_NEARFAR_TASK_GONE", status });
		expect(await reason(() => task.batch(() => {}))).toMatchObject({ code: "ERR_NEARFAR_TASK_GONE", status });
		expect(await reason(() => task.clone())).toMatchObject({ code: "ERR_NEARFAR_TASK_GONE", status });
		await task[Symbol.asyncDispose]();
		await task[Symbol.asyncDispose]();
	});

	test("exit at once is the exit that was asked for, every time", async () => {
		for (let turn = 0; turn < 100; turn++) expect(await (await Task.clone()).exit(9)).toMatchObject({ code: 9 });
	});

	test("dispose kills and reaps a live one", async () => {
		const task = await Task.clone();
		await task[Symbol.asyncDispose]();
		expect([task.state, stat(task.pid)]).toEqual(["exited", undefined]);
		expect(await task.process.exited).toEqual({ code: null, signal: "SIGKILL", dumped: false });
	});

	test("dispose kills one that was told to exit in the middle of a call that never ends", async () => {
		const folder = mkdtempSync(join(tmpdir(), "nearfar-task-"));
		const fifo = join(folder, "fifo");
		execFileSync("mkfifo", [fifo]);
		const task = await Task.clone();
		const opens = reason(() => task.batch(() => openat2(fifo)));
		const exits = task.exit(5);
		await task[Symbol.asyncDispose]();
		expect([await exits, await opens]).toMatchObject([{ signal: "SIGKILL" }, gone]);
		rmSync(folder, { recursive: true });
	});

	test.each(["free", "stopped"])("dispose lets one that is %s and was told to exit do so", async (how) => {
		for (let turn = 0; turn < 50; turn++) {
			const task = await Task.clone();
			if (how === "stopped") task.process.kill("SIGSTOP");
			const exits = task.exit(5);
			await task[Symbol.asyncDispose]();
			expect(await exits).toMatchObject({ code: 5 });
		}
	});

	test("dispose lets one that is busy for a moment and was told to exit do so", async () => {
		for (let turn = 0; turn < 50; turn++) {
			const task = await Task.clone();
			const opens = task.batch(() => Array.from({ length: 100 }, () => openat2("/dev/null").close()));
			const exits = task.exit(5);
			await task[Symbol.asyncDispose]();
			expect(await exits).toMatchObject({ code: 5 });
			await opens;
		}
	});

	test("exec, after which dispose leaves the program alone", async () => {
		const task = await Task.clone();
		const child = task.exec("/bin/sleep", ["sleep", "1000"]);
		expect([task.state, child]).toEqual(["exec", task.process]);
		await task[Symbol.asyncDispose]();
		const command = { path: "/bin/sleep", argv: ["sleep", "1000"] };
		expect(await reason(() => task.run(() => 1))).toMatchObject({ code: "ERR_NEARFAR_TASK_GONE", command });
		expect(stat(child.pid)?.name).toBe("sleep");
		await child[Symbol.asyncDispose]();
		expect(stat(child.pid)).toBeUndefined();
	});

	test("calls from several places are answered in order", async () => {
		await using task = await Task.clone();
		const [read, write] = task.run(() => pipe());
		const batches = Array.from({ length: 20 }, () => task.batch(() => openat2("/dev/null")));
		expect(task.run(() => write.write("x"))).toBe(1);
		const files = await Promise.all(batches);
		expect(new Set(files.map((file) => file.fd)).size).toBe(20);
		for (const file of [...files, read, write]) file.close();
	});
});

describe("Task.near", () => {
	test("is this process, and refuses to be handled like a task", async () => {
		const near = { name: "NearfarError", code: "ERR_NEARFAR_NEAR" };
		expect([Task.near.pid, Task.near.state, Task.near.process.pid]).toEqual([process.pid, "live", process.pid]);
		expect(Task.near.process).toBeInstanceOf(Process);
		expect(Task.near.process).not.toBeInstanceOf(ChildProcess);
		using fd = openat2("/dev/null");
		expect(await reason(() => Task.near.put(fd))).toMatchObject(near);
		expect(await reason(() => Task.near.get(fd))).toMatchObject(near);
		expect(await reason(() => Task.near.exec("/bin/true"))).toMatchObject(near);
		expect(await reason(() => Task.near.exit())).toMatchObject(near);
		expect(await reason(() => Task.near[Symbol.asyncDispose]())).toMatchObject(near);
	});
});

test("tokens belong to the task, and texts name it", async () => {
	await using task = await Task.clone();
	await using apart = await Task.clone({ namespaces: ["user", "pid", "uts"] });
	expect([task.fdTable, task.addressSpace].map((token) => token.creatorPid)).toEqual([task.pid, task.pid]);
	expect(task.fdTable === Task.near.fdTable || task.addressSpace === Task.near.addressSpace).toBe(false);
	expect(task.pidNamespace === Task.near.pidNamespace).toBe(true);
	expect(apart.pidNamespace === Task.near.pidNamespace).toBe(false);
	expect(apart.pidNamespace.creatorPid).toBe(apart.pid);
	expect(`${task}`).toBe(`task ${task.pid}`);
	expect(`${apart}`).toBe(`task ${apart.pid} (user pid uts)`);
	for (const token of [task.fdTable, task.addressSpace, apart.pidNamespace]) expect(`${token}`).toMatch(/\d+$/);
});
