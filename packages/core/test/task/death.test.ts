import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { childrenOf } from "../../../../test/children.mjs";
import { needs } from "../../../../test/needs.ts";
import { ownProc } from "../../../../test/own-proc.ts";
import { isAlive, stat } from "../../../../test/processes.ts";
import { reason } from "../../../../test/reason.ts";
import { native } from "../../src/addon/native.ts";
import { openat2, pipe, Task } from "../../src/index.ts";

const folder = mkdtempSync(join(tmpdir(), "nearfar-death-"));
const fifo = join(folder, "fifo");
execFileSync("mkfifo", [fifo]);
afterAll(() => rmSync(folder, { recursive: true }));

const [getpid, readNumber, recvmsgNumber] = process.arch === "x64" ? [39, 0, 47] : [172, 63, 212];
const status = { code: null, signal: "SIGKILL", dumped: false };
const gone = { name: "TaskGoneError", code: "ERR_NEARFAR_TASK_GONE", status };

/** Kills a process and waits until it is dead, without a turn of the event loop: no promise has resolved yet. */
function killed(task: Task): Task {
	task.process.kill("SIGKILL");
	while (isAlive(task.pid));
	return task;
}

needs("the running system call in /proc").test(
	"a task killed before its clone was told of: nothing of that is lost",
	async () => {
		await (await Task.clone()).exit(); // makes sure that there is a zygote
		const before = childrenOf();
		const cloning = Task.clone({ namespaces: ["user"] });
		// All of this happens in one turn of the event loop, so that the events of the clone and of the death arrive together.
		let pid: number | undefined;
		while (pid === undefined) pid = childrenOf().find((child) => !before.includes(child));
		while (!readFileSync(`/proc/${pid}/syscall`, "utf8").startsWith(`${recvmsgNumber} `));
		process.kill(pid, "SIGKILL");
		while (stat(pid)); // until the process was reaped
		const task = await cloning;
		expect(await task.process.exited).toEqual(status);
		expect(task.state).toBe("exited");
	},
);

describe("a task killed before", () => {
	const uses: [string, (task: Task) => unknown][] = [
		["a call", (task) => task.syscall(getpid)],
		["a run", (task) => task.run(() => openat2("/"))],
		["a batch", (task) => task.batch(() => openat2("/"))],
		["an exec", (task) => task.exec("/bin/true")],
		["a clone", (task) => task.clone()],
	];

	test.each(uses)("%s: TaskGoneError with its status, also while the kernel ends the task", async (_, use) => {
		for (let round = 0; round < 30; round++) {
			const task = await Task.clone();
			task.process.kill("SIGKILL");
			expect(await reason(() => use(task))).toMatchObject({ ...gone, message: `${task} was killed by SIGKILL` });
		}
	});

	test.each(uses)("%s: TaskGoneError with its status, whether or not anybody knew", async (_, use) => {
		const task = killed(await Task.clone());
		expect(await reason(() => use(task))).toMatchObject(gone);
		expect(await reason(() => use(task))).toMatchObject(gone);
		expect(task.state).toBe("exited");
		expect(await task.process.exited).toEqual(status);
		await task[Symbol.asyncDispose]();
	});

	test("put, get and exit", async () => {
		using near = openat2("/dev/null");
		expect(await reason(async () => killed(await Task.clone()).put(near))).toMatchObject(gone);
		const task = await Task.clone();
		const far = task.put(near);
		killed(task);
		expect(await reason(() => task.get(far))).toMatchObject(gone);
		expect(await killed(await Task.clone()).exit(3)).toEqual(status);
	});

	test("close: its descriptors went with it", async () => {
		const task = await Task.clone();
		using _ = task.run(() => openat2("/dev/null"));
		const fd = task.run(() => openat2("/dev/null"));
		killed(task);
		fd.close();
		expect(fd.closed).toBe(true);
	});
});

describe("a task killed in the middle of", () => {
	test("a call that waits", async () => {
		const task = await Task.clone();
		const [read, write] = task.run(() => pipe());
		const script = `until grep -q "^${readNumber} " ${ownProc}/${task.pid}/syscall; do :; done; kill -9 ${task.pid}`;
		const killer = spawn("/bin/sh", ["-c", script], { stdio: "ignore" });
		const ended = new Promise((resolve) => killer.once("exit", resolve));
		expect(await reason(() => task.run(() => read.read(1)))).toMatchObject(gone);
		expect(write.closed).toBe(false);
		await ended;
	});

	test("a batch that waits", async () => {
		const task = await Task.clone();
		const batch = reason(() => task.batch(() => [openat2("/dev/null"), openat2(fifo)]));
		const after = reason(() => task.batch(() => openat2("/dev/null")));
		task.process.kill("SIGKILL");
		expect(await batch).toMatchObject(gone);
		expect(await after).toMatchObject(gone);
	});

	test("an exec: it never began, or was killed like any program", async () => {
		for (let turn = 0; turn < 20; turn++) {
			const task = await Task.clone();
			task.process.kill("SIGKILL");
			const refused = await reason(() => task.exec("/bin/sleep", ["sleep", "1000"]));
			if (refused) expect(refused).toMatchObject(gone);
			expect(await task.process.exited).toEqual(status);
		}
	});
});

test("a task killed after an exec was a program: its status is the program's", async () => {
	const task = await Task.clone();
	const child = task.exec("/bin/sleep", ["sleep", "1000"]);
	child.kill("SIGKILL");
	expect(await child.exited).toEqual(status);
	expect([task.state, await reason(() => task.syscall(getpid))]).toEqual([
		"exec",
		expect.objectContaining({ code: "ERR_NEARFAR_TASK_GONE", command: child.command }),
	]);
});

test("a zygote killed: the next clone starts another, and its tasks live on", async () => {
	await using task = await Task.clone();
	const before = native().zygotePid();
	process.kill(before, "SIGKILL");
	const clones = await Promise.all([Task.clone(), Task.clone(), Task.clone()]);
	expect(native().zygotePid()).not.toBe(before);
	for (const clone of [task, ...clones]) expect(clone.syscall(getpid)).toBe(BigInt(clone.pid));
	for (const clone of clones) await clone[Symbol.asyncDispose]();
});

test("64 tasks at once, each in its own place", async () => {
	const tasks = await Promise.all(Array.from({ length: 64 }, () => Task.clone({ namespaces: ["user", "mnt", "pid"] })));
	const files = await Promise.all(tasks.map((task) => task.batch(() => openat2(`${ownProc}/self/uid_map`))));
	expect(new Set(tasks.map((task) => task.pid)).size).toBe(64);
	for (const [index, task] of tasks.entries()) expect(task.run(() => files[index]?.read(10).length)).toBe(10);
	const programs = tasks.map((task, index) => task.exec("/bin/sh", ["sh", "-c", `exit ${index}`]));
	const codes = await Promise.all(programs.map(async (program) => (await program.exited).code));
	expect(codes).toEqual(Array.from({ length: 64 }, (_, index) => index));
});
