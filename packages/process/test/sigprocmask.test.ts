import { BatchError, MultithreadedError, Task } from "@nearfar/core";
import { expect, test } from "vitest";
import { signalSet } from "../../../test/status.ts";
import { kill, sigaction, sigprocmask } from "../src/index.ts";

const bit = (...numbers: number[]) => numbers.reduce((set, number) => set | (1n << BigInt(number - 1)), 0n);

test("a task begins with nothing blocked; signals are added, taken away and replaced", async () => {
	await using task = await Task.clone();
	const blocked = () => task.run(() => sigprocmask());
	expect(blocked()).toEqual([]);
	task.run(() => sigprocmask("block", ["SIGTERM", 34, "SIGHUP"]));
	expect(blocked()).toEqual(["SIGHUP", "SIGTERM", 34]);
	expect(signalSet(task.pid, "SigBlk")).toBe(bit(1, 15, 34));
	task.run(() => sigprocmask("unblock", [1, 2]));
	expect(blocked()).toEqual(["SIGTERM", 34]);
	task.run(() => sigprocmask("setmask", [32, 33, 64]));
	expect(blocked()).toEqual([32, 33, 64]);
	expect(signalSet(task.pid, "SigBlk")).toBe(bit(32, 33, 64));
	task.run(() => sigprocmask("setmask", []));
	expect(blocked()).toEqual([]);
});

test("what is blocked waits, and kills when it is unblocked", async () => {
	await using task = await Task.clone();
	await task.batch(() => sigprocmask("block", ["SIGTERM"]));
	kill(task.pid, "SIGTERM");
	expect(task.run(() => sigprocmask())).toEqual(["SIGTERM"]);
	await expect(task.batch(() => sigprocmask("setmask", []))).rejects.toMatchObject({ code: "ERR_NEARFAR_TASK_GONE" });
	expect((await task.process.exited).signal).toBe("SIGTERM");
});

test("SIGKILL and SIGSTOP are passed over in silence", async () => {
	await using task = await Task.clone();
	task.run(() => sigprocmask("block", ["SIGKILL", "SIGSTOP", "SIGUSR1"]));
	expect(task.run(() => sigprocmask())).toEqual(["SIGUSR1"]);
});

test("a program that a task executes, or a clone of it, blocks nothing", async () => {
	await using task = await Task.clone();
	await task.batch(() => sigprocmask("block", ["SIGTERM", 40]));
	await using clone = await task.clone();
	expect(clone.run(() => sigprocmask())).toEqual([]);
	for (const each of [task, clone]) {
		await using sleep = each.exec("sleep", ["sleep", "60"]);
		expect(signalSet(sleep.pid, "SigBlk")).toBe(0n);
		sleep.kill("SIGTERM");
		expect((await sleep.exited).signal).toBe("SIGTERM");
	}
});

test("nor does one that is executed in the batch which blocks", async () => {
	const task = await Task.clone();
	await using sleep = await task.batch(() => {
		sigprocmask("block", ["SIGTERM"]);
		sigaction("SIGHUP", "ignore");
		return task.exec("sleep", ["sleep", "60"]);
	});
	expect([signalSet(sleep.pid, "SigBlk"), signalSet(sleep.pid, "SigIgn")]).toEqual([0n, 0n]);
});

test("near the mask can be read, and changing it is refused", async () => {
	const before = sigprocmask();
	expect(signalSet("self", "SigBlk")).toBe(bit(...before.map(Number)));
	expect(() => sigprocmask("block", ["SIGUSR1"])).toThrow(MultithreadedError);
	await expect(Task.near.batch(() => sigprocmask("block", ["SIGUSR1"]))).rejects.toThrow(MultithreadedError);
	expect(sigprocmask()).toEqual(before);
});

test("a batch has no mask to return yet", async () => {
	await using task = await Task.clone();
	await expect(task.batch(() => sigprocmask())).rejects.toThrow(BatchError);
});

test.each<[string, () => void, string]>([
	["an unknown way", () => sigprocmask("add" as "block", []), "ERR_INVALID_ARG_VALUE"],
	["no signals", () => sigprocmask("block", undefined as unknown as []), "ERR_INVALID_ARG_TYPE"],
	["no way", () => sigprocmask(undefined as unknown as "block", []), "ERR_INVALID_ARG_VALUE"],
	["signal 0", () => sigprocmask("block", [0]), "ERR_OUT_OF_RANGE"],
	["signal 65", () => sigprocmask("block", [65]), "ERR_OUT_OF_RANGE"],
	["an unknown name", () => sigprocmask("block", ["SIGNOPE" as "SIGTERM"]), "ERR_INVALID_ARG_VALUE"],
])("%s reaches no kernel", async (_, call, code) => {
	await using task = await Task.clone();
	expect(() => task.run(call)).toThrow(expect.objectContaining({ code }));
	expect(task.run(() => sigprocmask())).toEqual([]);
});
