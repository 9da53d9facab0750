import { expect, test } from "vitest";
import { reason } from "../../../../test/reason.ts";
import { Process, pipe, Task } from "../../src/index.ts";

const [waitid, pidfdOpen] = process.arch === "x64" ? [247, 434] : [95, 434];
const [P_ALL, P_PID, P_PGID, P_PIDFD] = [0, 1, 2, 3];
const [WNOHANG, WEXITED] = [1, 4];

const refused = (code: string) => expect.objectContaining({ code, syscall: "syscall" });

test("WID-02 waitid(2) in a task refuses what it does not know, and is ECHILD without children", async () => {
	await using task = await Task.clone();
	const wait = (kind: number, id: number, options: number) => () => task.syscall(waitid, kind, id, 0, options, 0);
	expect(wait(P_ALL, 0, WNOHANG)).toThrow(refused("EINVAL"));
	expect(wait(P_ALL, 0, WEXITED)).toThrow(refused("ECHILD"));
	expect(wait(9, 1, WEXITED)).toThrow(refused("EINVAL"));
	expect(wait(P_PID, 0, WEXITED)).toThrow(refused("EINVAL"));
});

test("WID-02 a wait for nothing is refused before the kernel is asked", async () => {
	await using task = await Task.clone();
	const { process: child } = task;
	const nothing = { exited: false };
	const wrong = { name: "TypeError", code: "ERR_INVALID_ARG_VALUE" };
	expect(await reason(() => child.wait(nothing))).toMatchObject(wrong);
	expect(await reason(() => child.poll(nothing))).toMatchObject(wrong);
	for (const options of [{ stopped: 1 }, { nowait: "yes" }, { signal: {} }, 7]) {
		expect(await reason(() => child.wait(options as never))).toMatchObject({ code: "ERR_INVALID_ARG_TYPE" });
	}
});

test("WID-03 of a live child nothing is said with WNOHANG, and nothing is left in the answer", async () => {
	await using task = await Task.clone();
	await using child = await task.clone();
	const info = Buffer.alloc(128);
	info.fill(0xff, 12, 24);
	expect(task.syscall(waitid, P_ALL, 0, info, WEXITED | WNOHANG, 0)).toBe(0n);
	expect(info.readInt32LE(16)).toBe(0);
	expect(child.process.poll()).toBeUndefined();
	expect(child.process.poll({ stopped: true, continued: true })).toBeUndefined();
	expect(task.process.poll()).toBeUndefined();
});

test("WID-04 of whoever is no child: ECHILD, by pid and by pidfd, also of itself", async () => {
	await using task = await Task.clone();
	const wait = (kind: number, id: number) => () => task.syscall(waitid, kind, id, 0, WEXITED | WNOHANG, 0);
	expect(wait(P_PID, process.pid)).toThrow(refused("ECHILD"));
	for (const pid of [1, process.pid, task.pid]) {
		expect(wait(P_PIDFD, Number(task.syscall(pidfdOpen, pid, 0)))).toThrow(refused("ECHILD"));
	}
	expect(new Process(1)).not.toHaveProperty("wait"); // a process that is known by pid alone cannot be waited for
});

test("WID-13 of a group that none of its children is in: ECHILD", async () => {
	await using task = await Task.clone();
	await using child = await task.clone();
	task.run(() => child.process.setpgid());
	const group = child.process.getpgid();
	expect(group).toBe(child.pid);
	const wait = (id: number) => task.syscall(waitid, P_PGID, id, 0, WEXITED | WNOHANG, 0);
	expect(wait(group)).toBe(0n);
	expect(() => wait(task.process.getpgid())).toThrow(refused("ECHILD"));
});

test("WID-01 WID-07 resourceUsage, of a child, of a task's child and of one that was killed", async () => {
	const task = await Task.clone();
	const inner = await task.clone();
	const [read, write] = inner.run(() => pipe());
	inner.run(() => write.write(Buffer.alloc(4096)));
	await inner.exit(3);
	await task[Symbol.asyncDispose]();
	expect(read.closed).toBe(false);
	for (const { resourceUsage } of [task.process, inner.process]) {
		expect(Object.keys(resourceUsage ?? {}).sort()).toEqual(Object.keys(process.resourceUsage()).sort());
		expect(resourceUsage?.minorPageFault).toBeGreaterThan(0);
	}
});
