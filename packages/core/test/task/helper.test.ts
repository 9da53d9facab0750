import { execFileSync } from "node:child_process";
import { closeSync, constants, existsSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import { inHelper } from "@nearfar/core/internal";
import { afterAll, expect, test } from "vitest";
import { runFixture } from "../../../../test/fixture.ts";
import { needs } from "../../../../test/needs.ts";
import { reason } from "../../../../test/reason.ts";
import { EventFd, openat2, Task } from "../../src/index.ts";

const folder = mkdtempSync(join(tmpdir(), "nearfar-helper-"));
const fifo = join(folder, "fifo");
execFileSync("mkfifo", [fifo]);
afterAll(() => rmSync(folder, { recursive: true }));

/** Returns the pid of the task that has made the call. */
const add = (counter: EventFd) =>
	inHelper((helper) => {
		using copy = helper.put(counter);
		copy.write(1n);
		return helper.pid;
	});

/** Begins a call that waits until a process opens the fifo for writing. */
const openFifo = () =>
	inHelper((helper) => {
		openat2(fifo).close();
		return helper.pid;
	});

/** Lets the calls of `count` tasks return. */
async function release(count: number): Promise<void> {
	for (let opened = 0; opened < count; opened++) {
		const writer = openSync(fifo, constants.O_RDWR); // waits for nobody
		await setImmediate();
		closeSync(writer);
	}
}

const isGone = (pid: number) => !existsSync(`/proc/${pid}`);

test("one task makes the calls, one after the other", async () => {
	using counter = EventFd.create();
	const pid = await add(counter);
	expect(pid).not.toBe(process.pid);
	expect(await add(counter)).toBe(pid);
	expect(counter.read()).toBe(2n);
});

test("a call that does not return holds up no other, and one task is kept", async () => {
	using counter = EventFd.create();
	let held = true;
	const waiting = openFifo().finally(() => {
		held = false;
	});
	const other = await add(counter);
	expect(await add(counter)).toBe(other);
	while (held) await release(1);
	const first = await waiting;
	expect(first).not.toBe(other);
	const kept = await add(counter);
	expect([first, other]).toContain(kept);
	const [ended] = [first, other].filter((pid) => pid !== kept);
	while (!isGone(ended as number)) await setImmediate();
});

test("more calls at once than tasks all return", async () => {
	using counter = EventFd.create();
	const pids = await Promise.all(Array.from({ length: 50 }, () => add(counter)));
	expect(counter.read()).toBe(50n);
	expect(new Set(pids).size).toBeLessThanOrEqual(4);
});

test("a task that was killed is replaced, also in the middle of a call", async () => {
	using counter = EventFd.create();
	const pid = await add(counter);
	process.kill(pid, "SIGKILL");
	expect(await add(counter)).not.toBe(pid);
	let held = true;
	let helperPid = 0;
	const waiting = inHelper((helper) => {
		openat2(fifo).close();
		helperPid ||= helper.pid;
		return helper.pid;
	}).finally(() => {
		held = false;
	});
	while (helperPid === 0) await setImmediate();
	process.kill(helperPid, "SIGKILL");
	while (held) await release(1);
	expect(await waiting).not.toBe(helperPid);
	expect(counter.read()).toBe(2n);
});

test("it begins in this process, whichever task is current, and refuses a batch", async () => {
	using counter = EventFd.create();
	await using task = await Task.clone();
	const pid = await task.run(() => [add(counter)] as const)[0];
	expect([process.pid, task.pid]).not.toContain(pid);
	const refused: Promise<unknown>[] = [];
	await task.batch(() => void refused.push(reason(() => add(counter))));
	expect(await refused[0]).toMatchObject({ code: "ERR_NEARFAR_BATCH" });
});

test("errors are those of the call, and the next call has a task", async () => {
	using file = openat2(import.meta.filename);
	const write = () =>
		inHelper((helper) => {
			using copy = helper.put(file);
			copy.write("1");
		});
	expect(await reason(write)).toMatchObject({ code: "EBADF", syscall: "write" });
	expect(await reason(() => inHelper(() => Promise.resolve()))).toMatchObject({ name: "TypeError" });
	using counter = EventFd.create();
	await add(counter);
});

test.each([
	["nothing", { code: 0 }],
	["exit", { code: 0 }],
	["kill", { signal: "SIGKILL" }],
])("it does not keep Node alive, and ends with Node: %s", async (what, end) => {
	const { report, stderr, ...ended } = await runFixture("core/helper", { args: [what] });
	expect(stderr).toBe("");
	expect(ended).toMatchObject(end);
	expect(report).toMatchObject({ before: 2, counter: "1" });
	while (!isGone(report.first)) await setImmediate();
});

needs("root").test.each(["setuid", "clone", "clone of a Worker"])(
	"no task keeps privileges that Node has given up: %s",
	async (what) => {
		const { report, stderr } = await runFixture("core/helper", { args: [what] });
		expect(stderr).toBe("");
		expect(report.before).toBe(2);
		if (what === "setuid") expect(report).toMatchObject({ uid: 1000, counter: "2" });
		expect(report.again).not.toBe(report.first);
		expect(() => readFileSync(`/proc/${report.first}/status`)).toThrow();
	},
);
