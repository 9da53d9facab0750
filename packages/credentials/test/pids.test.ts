import { once } from "node:events";
import { readlinkSync } from "node:fs";
import { Worker } from "node:worker_threads";
import { BatchError, Task } from "@nearfar/core";
import { expect, test } from "vitest";
import { statusNumbers } from "../../../test/status.ts";
import { getpid, getppid, gettid } from "../src/index.ts";

test("near, pids are those of /proc", () => {
	expect([getpid(), getppid()]).toEqual([process.pid, process.ppid]);
	expect([getpid(), getppid()]).toEqual([...statusNumbers("self", "Tgid"), ...statusNumbers("self", "PPid")]);
});

test("gettid is the thread's own", async () => {
	const code = `import("@nearfar/credentials").then(({ getpid, gettid }) =>
		require("node:worker_threads").parentPort.postMessage([getpid(), gettid()]))`;
	const worker = new Worker(code, { eval: true, execArgv: [] }); // the Worker imports the built packages
	const [[pid, tid]] = await once(worker, "message");
	await worker.terminate();
	expect(gettid()).toBe(Number(readlinkSync("/proc/thread-self").split("/").at(-1)));
	expect(pid).toBe(process.pid);
	expect(tid).not.toBe(gettid());
});

test("far, a task is a child of this process", async () => {
	await using task = await Task.clone();
	expect(task.run(() => [getpid(), getppid(), gettid()])).toEqual([task.pid, process.pid, task.pid]);
	expect(statusNumbers(task.pid, "PPid")).toEqual([process.pid]);
});

test("in a new pid namespace a task is 1, and its parent cannot be named", async () => {
	await using task = await Task.clone({ namespaces: ["user", "pid"] });
	expect(task.run(() => [getpid(), getppid(), gettid()])).toEqual([1, 0, 1]);
	expect(statusNumbers(task.pid, "NSpid")).toEqual([task.pid, 1]);
	await using child = await task.clone();
	expect(child.run(() => [getpid(), getppid()])).toEqual([2, 1]);
});

test.each([getpid, getppid, gettid])("%o cannot be asked in a batch", async (get) => {
	await using task = await Task.clone();
	await expect(task.batch(get)).rejects.toThrow(BatchError);
});
