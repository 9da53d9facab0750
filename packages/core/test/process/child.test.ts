import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { isAlive, stat } from "../../../../test/processes.ts";
import { reason } from "../../../../test/reason.ts";
import { type ChildProcess, chdir, type FileDescriptor, openat2, Process, Task } from "../../src/index.ts";

async function start(script: string): Promise<ChildProcess> {
	const task = await Task.clone();
	return task.exec("/bin/sh", ["sh", "-c", script]);
}
const sleeper = async () => (await Task.clone()).exec("/bin/sleep", ["sleep", "1000"]);

describe("its end", () => {
	test("exited is the same promise every time, and the death is remembered", async () => {
		const child = await start("exit 7");
		expect(child.death).toBeUndefined();
		expect(child.exited).toBe(child.exited);
		expect(await child.exited).toEqual({ code: 7, signal: null, dumped: false });
		expect(child.exited).toBe(child.exited);
		const death = { state: "exited", pid: child.pid, uid: process.getuid?.(), code: 7, signal: null };
		expect(child.death).toEqual(death);
		expect(stat(child.pid)).toBeUndefined();
	});

	test("WID-01 wait reports an exit with 123, once", async () => {
		const child = await start("exit 123");
		expect(await child.wait({ nowait: true })).toMatchObject({ state: "exited", code: 123, signal: null });
		expect(await child.wait({ exited: true, nowait: true })).toMatchObject({ state: "exited", code: 123 });
		expect(await child.wait()).toMatchObject({ state: "exited", code: 123, pid: child.pid });
		const dead = { name: "ChildDeadError", code: "ERR_NEARFAR_CHILD_DEAD", state: child.death };
		expect(await reason(() => child.wait())).toMatchObject(dead);
		expect(await reason(() => child.poll())).toMatchObject(dead);
		expect(await child.exited).toMatchObject({ code: 123 });
	});

	test("WID-07 killed", async () => {
		const child = await sleeper();
		child.kill("SIGKILL");
		expect(await child.wait()).toMatchObject({ state: "killed", code: null, signal: "SIGKILL" });
		expect(await child.exited).toEqual({ code: null, signal: "SIGKILL", dumped: false });
	});

	test("WID-08 by a signal that may dump core", async () => {
		const child = await start("ulimit -c 0; kill -FPE $$");
		expect(await child.wait()).toMatchObject({ state: expect.stringMatching(/killed|dumped/), signal: "SIGFPE" });
	});

	test("WID-08 with a core, where the limit and the machine's core_pattern allow one", async () => {
		const folder = mkdtempSync(join(tmpdir(), "nearfar-core-"));
		const task = await Task.clone();
		task.run(() => chdir(folder));
		const child = task.exec("sh", ["sh", "-c", "ulimit -S -c $(ulimit -H -c); kill -FPE $$"]);
		const state = await child.wait();
		expect(state).toMatchObject({ state: expect.stringMatching(/^(killed|dumped)$/), signal: "SIGFPE", code: null });
		expect(await child.exited).toEqual({ code: null, signal: "SIGFPE", dumped: state.state === "dumped" });
		rmSync(folder, { recursive: true });
	});

	test("by a real-time signal, which has only a number", async () => {
		const child = await sleeper();
		child.kill(34);
		expect(await child.exited).toEqual({ code: null, signal: 34, dumped: false });
	});

	test("poll never waits, and sees a death that was not yet told", async () => {
		const child = await start("exit 5");
		let state = child.poll();
		while (!state) state = child.poll();
		expect(state).toMatchObject({ state: "exited", code: 5 });
		expect(child.death).toEqual(state);
		expect(await child.exited).toMatchObject({ code: 5 });
	});

	test("WID-05 its pidfd is one; waiting through another descriptor is EBADF", async () => {
		const child = await sleeper();
		using fd = child.fd;
		expect(fd).toBe(child.fd);
		expect(fd.table).toBe(Task.near.fdTable);
		using other = openat2("/dev/null");
		const waitid = process.arch === "x64" ? 247 : 95;
		const wait = (fd: FileDescriptor) => Task.near.syscall(waitid, 3, fd, 0, 4 | 1, 0);
		expect(wait(fd)).toBe(0n);
		expect(() => wait(other)).toThrow(expect.objectContaining({ code: "EBADF" }));
		await child[Symbol.asyncDispose]();
	});

	test("the pidfd, asked for after death, is a ClosedError", async () => {
		const child = await start("exit 0");
		await child.exited;
		expect(() => child.fd).toThrow(expect.objectContaining({ code: "ERR_NEARFAR_CLOSED" }));
	});

	test("resourceUsage is known then, in Node's names and units", async () => {
		const child = await start("i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done");
		expect(child.resourceUsage).toBeUndefined();
		await child.exited;
		expect(Object.keys(child.resourceUsage ?? {}).sort()).toEqual(Object.keys(process.resourceUsage()).sort());
		expect(child.resourceUsage?.maxRSS).toBeGreaterThan(100);
		expect((child.resourceUsage?.userCPUTime ?? 0) + (child.resourceUsage?.systemCPUTime ?? 0)).toBeGreaterThan(0);
	});

	test("check rejects with ExitError unless it exited with 0", async () => {
		expect(await (await start("exit 0")).check()).toBeUndefined();
		const failed = await reason(async () => (await start("exit 3")).check());
		const command = { path: "/bin/sh", argv: ["sh", "-c", "exit 3"] };
		expect(failed).toMatchObject({ name: "ExitError", status: { code: 3, signal: null }, command });
		const killed = await reason(async () => (await start("kill -9 $$")).check());
		expect(killed).toMatchObject({ name: "ExitError", status: { code: null, signal: "SIGKILL" } });
	});

	test("is reported in the order of deaths", async () => {
		const children = await Promise.all(Array.from({ length: 8 }, sleeper));
		const order: number[] = [];
		const all = children.map((child) => child.exited.then(() => order.push(child.pid)));
		const shuffled = [3, 0, 7, 1, 6, 2, 5, 4].flatMap((index) => children[index] ?? []);
		for (const child of shuffled) {
			child.kill("SIGKILL");
			while (isAlive(child.pid)); // until the child is dead, without a turn of the event loop
		}
		await Promise.all(all);
		expect(order).toEqual(shuffled.map((child) => child.pid));
	});
});

test("dispose kills and reaps; again does nothing", async () => {
	const child = await sleeper();
	expect(child).toBeInstanceOf(Process);
	await child[Symbol.asyncDispose]();
	await child[Symbol.asyncDispose]();
	expect([stat(child.pid), child.death?.signal]).toEqual([undefined, "SIGKILL"]);
});
