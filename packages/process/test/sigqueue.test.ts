import { Task } from "@nearfar/core";
import { expect, test } from "vitest";
import { needs } from "../../../test/needs.ts";
import { becomeOrdinary } from "../../../test/ordinary.ts";
import { prlimit, sigprocmask, sigqueue, tgkill } from "../src/index.ts";

const NOBODY = 2 ** 31 - 1;
const SIGTIMEDWAIT = process.arch === "arm64" ? 137 : 128;
const SI_QUEUE = -1;
const SI_TKILL = -6;

/** Takes a pending signal of the task with sigtimedwait(2), without waiting. */
function next(task: Task) {
	const [set, info, timeout] = [Buffer.alloc(8, 0xff), Buffer.alloc(128), Buffer.alloc(16)];
	const signal = Number(task.syscall(SIGTIMEDWAIT, set, info, timeout, 8));
	const [code, pid, uid] = [info.readInt32LE(8), info.readUInt32LE(16), info.readUInt32LE(20)];
	return { signal, code, pid, uid, int: info.readInt32LE(24), pointer: info.readBigUInt64LE(24) };
}

async function receiver(...signals: number[]): Promise<Task> {
	const task = await Task.clone();
	task.run(() => sigprocmask("block", signals));
	return task;
}

test("values arrive, in order, with who sent them: near, far and from a batch", async () => {
	await using task = await receiver(40, 10);
	await using sender = await Task.clone();
	const uid = process.getuid?.();
	sigqueue(task.pid, 40, -7);
	sender.run(() => sigqueue(task.pid, 40, 2n ** 64n - 2n));
	await sender.batch(() => {
		sigqueue(task.pid, 40);
		sigqueue(task.pid, "SIGUSR1", 2 ** 31 - 1);
	});
	await Task.near.batch(() => sigqueue(task.pid, 40, 5));
	expect(next(task)).toMatchObject({ signal: 10, code: SI_QUEUE, pid: sender.pid, uid, int: 2 ** 31 - 1 });
	expect(next(task)).toMatchObject({ signal: 40, code: SI_QUEUE, pid: process.pid, uid, int: -7 });
	expect(next(task)).toMatchObject({ signal: 40, pid: sender.pid, uid, pointer: 2n ** 64n - 2n });
	expect(next(task)).toMatchObject({ signal: 40, pid: sender.pid, uid, pointer: 0n });
	expect(next(task)).toMatchObject({ signal: 40, pid: process.pid, int: 5 });
	expect(() => next(task)).toThrow(expect.objectContaining({ code: "EAGAIN" }));
});

test("a full queue: EAGAIN", async () => {
	await using task = await receiver(40);
	prlimit("sigpending", 0, task.process);
	const error = { code: "EAGAIN", syscall: "rt_sigqueueinfo" };
	expect(() => sigqueue(task.pid, 40, 1)).toThrow(expect.objectContaining(error));
	await expect(task.batch(() => sigqueue(task.pid, 40, 1))).rejects.toMatchObject({ ...error, step: 0 });
});

test("tgkill reaches one thread, near, far and from a batch", async () => {
	await using task = await receiver(40);
	await using sender = await Task.clone();
	tgkill(process.pid, process.pid, 0);
	tgkill(task.pid, task.pid, 40);
	sender.run(() => tgkill(task.pid, task.pid, 40));
	await sender.batch(() => tgkill(task.pid, task.pid, 40));
	expect(next(task)).toMatchObject({ signal: 40, code: SI_TKILL, pid: process.pid });
	expect(next(task)).toMatchObject({ signal: 40, code: SI_TKILL, pid: sender.pid });
	expect(next(task)).toMatchObject({ signal: 40, code: SI_TKILL, pid: sender.pid });
	tgkill(task.pid, task.pid, "SIGTERM");
	expect((await task.process.exited).signal).toBe("SIGTERM");
});

test("nobody there, or a thread of somebody else: ESRCH", async () => {
	await using task = await Task.clone();
	const refusals = [
		["rt_sigqueueinfo", () => sigqueue(NOBODY, 0)],
		["tgkill", () => tgkill(NOBODY, NOBODY, 0)],
		["tgkill", () => tgkill(process.pid, task.pid, "SIGKILL")],
	] as const;
	for (const [syscall, call] of refusals) {
		expect(call).toThrow(expect.objectContaining({ code: "ESRCH", syscall }));
		expect(() => task.run(call)).toThrow(expect.objectContaining({ code: "ESRCH", syscall, task: `${task}` }));
	}
});

needs("another user as the owner of process 1").test("another user's: EPERM", async () => {
	await using task = await Task.clone();
	becomeOrdinary(task);
	expect(() => task.run(() => sigqueue(1, 0))).toThrow(
		expect.objectContaining({ code: "EPERM", syscall: "rt_sigqueueinfo" }),
	);
	expect(() => task.run(() => tgkill(1, 1, 0))).toThrow(expect.objectContaining({ code: "EPERM", syscall: "tgkill" }));
});

test.each<[string, () => void, string]>([
	["sigqueue(0)", () => sigqueue(0, 0), "ERR_OUT_OF_RANGE"],
	["signal 65", () => sigqueue(process.pid, 65), "ERR_OUT_OF_RANGE"],
	["an int too large", () => sigqueue(process.pid, 0, 2 ** 31), "ERR_OUT_OF_RANGE"],
	["a negative pointer", () => sigqueue(process.pid, 0, -1n), "ERR_OUT_OF_RANGE"],
	["a pointer too large", () => sigqueue(process.pid, 0, 2n ** 64n), "ERR_OUT_OF_RANGE"],
	["text", () => sigqueue(process.pid, 0, "1" as unknown as number), "ERR_INVALID_ARG_TYPE"],
	["tgkill(0)", () => tgkill(0, 1, 0), "ERR_OUT_OF_RANGE"],
	["thread -1", () => tgkill(1, -1, 0), "ERR_OUT_OF_RANGE"],
])("%s reaches no kernel", (_, call, code) => {
	expect(call).toThrow(expect.objectContaining({ code }));
});
