import { BatchError, ChildDeadError, MultithreadedError, NamespaceMismatchError, Process, Task } from "@nearfar/core";
import { expect, test } from "vitest";
import { needs } from "../../../test/needs.ts";
import { becomeOrdinary } from "../../../test/ordinary.ts";
import { status } from "../../../test/status.ts";
import { schedGetaffinity, schedSetaffinity } from "../src/index.ts";

const NOBODY = 2 ** 31 - 1;
const cpus = schedGetaffinity();
const [first = 0] = cpus;

/** Converts a list of /proc such as "0-2,5" to numbers. */
function seen(pid: number | "self"): number[] {
	return (status(pid, "Cpus_allowed_list") ?? "").split(",").flatMap((range) => {
		const [from = 0, to = from] = range.split("-").map(Number);
		return Array.from({ length: to - from + 1 }, (_, index) => from + index);
	});
}

test("near and far they are those of /proc", async () => {
	await using task = await Task.clone();
	expect(cpus).toEqual(seen("self"));
	expect([schedGetaffinity(process.pid), schedGetaffinity(task.process)]).toEqual([cpus, cpus]);
	expect(task.run(() => schedGetaffinity())).toEqual(cpus);
});

test("near, far and from a batch a task is kept on one CPU, and so is what it executes", async () => {
	await using task = await Task.clone();
	task.run(() => schedSetaffinity([first]));
	expect([seen(task.pid), task.run(() => schedGetaffinity())]).toEqual([[first], [first]]);
	schedSetaffinity(cpus, task.pid);
	expect(seen(task.pid)).toEqual(cpus);
	const last = cpus.at(-1) ?? 0;
	await task.batch(() => schedSetaffinity([last]));
	expect(schedGetaffinity(task.process)).toEqual([last]);
	await using sleep = task.exec("sleep", ["sleep", "60"]);
	expect(seen(sleep.pid)).toEqual([last]);
	schedSetaffinity([first], sleep);
	expect(seen(sleep.pid)).toEqual([first]);
});

test("a CPU beyond 1024 can be named, and is left out where it is not there", async () => {
	await using task = await Task.clone();
	task.run(() => schedSetaffinity([65_535, 1024, first, first]));
	expect(seen(task.pid)).toEqual([first]);
});

test.each([
	["none", []],
	["CPU 65535", [65_535]],
])("%s of those that are there: EINVAL", async (_, wanted) => {
	await using task = await Task.clone();
	const error = expect.objectContaining({ code: "EINVAL", syscall: "sched_setaffinity" });
	expect(() => task.run(() => schedSetaffinity(wanted))).toThrow(error);
	expect(seen(task.pid)).toEqual(cpus);
});

test("nobody there: ESRCH", async () => {
	await using task = await Task.clone();
	expect(() => schedGetaffinity(NOBODY)).toThrow(
		expect.objectContaining({ code: "ESRCH", syscall: "sched_getaffinity" }),
	);
	expect(() => task.run(() => schedSetaffinity([first], NOBODY))).toThrow(
		expect.objectContaining({ code: "ESRCH", syscall: "sched_setaffinity" }),
	);
});

needs("another user as the owner of process 1").test("another user's: EPERM", async () => {
	await using task = await Task.clone();
	becomeOrdinary(task);
	expect(() => task.run(() => schedSetaffinity([first], 1))).toThrow(
		expect.objectContaining({ code: "EPERM", syscall: "sched_setaffinity" }),
	);
});

test("near, a thread of Node is refused", async () => {
	for (const pid of [0, process.pid, Task.near.process]) {
		expect(() => schedSetaffinity([first], pid)).toThrow(MultithreadedError);
	}
	await expect(Task.near.batch(() => schedSetaffinity([first]))).rejects.toThrow(MultithreadedError);
	expect(seen("self")).toEqual(cpus);
});

test("a process of another pid namespace, or dead, is refused", async () => {
	const task = await Task.clone({ namespaces: ["user", "pid"] });
	const self = new Process(process.pid);
	expect(() => task.run(() => schedGetaffinity(self))).toThrow(NamespaceMismatchError);
	await task.exit();
	expect(() => schedSetaffinity([first], task.process)).toThrow(ChildDeadError);
});

test.each<[string, () => unknown, string]>([
	["CPU -1", () => schedSetaffinity([-1], NOBODY), "ERR_OUT_OF_RANGE"],
	["CPU 65536", () => schedSetaffinity([65_536], NOBODY), "ERR_OUT_OF_RANGE"],
	["a number", () => schedSetaffinity(0 as unknown as number[], NOBODY), "ERR_INVALID_ARG_TYPE"],
	["a negative pid", () => schedGetaffinity(-1), "ERR_OUT_OF_RANGE"],
])("%s reaches no kernel", (_, call, code) => {
	expect(call).toThrow(expect.objectContaining({ code }));
});

test("a batch has no CPUs to return yet", async () => {
	await using task = await Task.clone();
	await expect(task.batch(() => schedGetaffinity())).rejects.toThrow(BatchError);
});
