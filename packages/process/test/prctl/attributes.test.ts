import { statSync } from "node:fs";
import { BatchError, MultithreadedError, openat2, Task } from "@nearfar/core";
import { expect, test } from "vitest";
import { needs } from "../../../../test/needs.ts";
import { ownProc } from "../../../../test/own-proc.ts";
import { status } from "../../../../test/status.ts";
import * as api from "../../src/index.ts";

const SETRESUID = process.arch === "arm64" ? 147 : 117;

const switches: [string, (enable: boolean) => void, () => boolean, boolean][] = [
	["dumpable", api.setDumpable, api.getDumpable, true],
	["child subreaper", api.childSubreaper, api.getChildSubreaper, false],
	["keep caps", api.setKeepCaps, api.getKeepCaps, false],
	["no huge pages", api.setThpDisable, api.getThpDisable, false],
];

test.each(switches)("%s is switched in a task, and from a batch", async (_, set, get, before) => {
	await using task = await Task.clone();
	task.run(() => set(before)); // a task is not dumpable, and Node is
	expect([get(), task.run(get)]).toEqual([before, before]);
	task.run(() => set(!before));
	expect([get(), task.run(get)]).toEqual([before, !before]);
	await task.batch(() => set(before));
	expect(task.run(get)).toBe(before);
	await expect(task.batch(get)).rejects.toThrow(BatchError);
	expect(() => task.run(() => set(1 as unknown as boolean))).toThrow(
		expect.objectContaining({ code: "ERR_INVALID_ARG_TYPE" }),
	);
});

needs("/proc").test("orphans of a child of the subreaper are its children", async () => {
	await using task = await Task.clone();
	await task.batch(() => api.setChildSubreaper(true));
	const child = await task.clone();
	await using orphan = await child.clone();
	expect(status(orphan.pid, "PPid")).toBe(`${child.pid}`);
	await child.exit();
	expect(status(orphan.pid, "PPid")).toBe(`${task.pid}`);
	expect(orphan.run(api.getChildSubreaper)).toBe(false);
});

needs("root").test("PRC-14 a task that changes its user is not dumpable, until it says so", async () => {
	await using task = await Task.clone();
	task.syscall(SETRESUID, 1000, 1000, 1000);
	const owner = () => statSync(`/proc/${task.pid}/status`).uid;
	expect([task.run(api.getDumpable), owner()]).toEqual([false, 0]);
	task.run(() => api.setDumpable(true));
	expect([task.run(api.getDumpable), owner()]).toEqual([true, 1000]);
});

needs("root").test("kept capabilities are permitted and not effective", async () => {
	await using task = await Task.clone();
	const permitted = status(task.pid, "CapPrm");
	task.run(() => api.setKeepCaps(true));
	task.syscall(SETRESUID, 1000, 1000, 1000);
	expect([status(task.pid, "CapPrm"), Number(`0x${status(task.pid, "CapEff")}`)]).toEqual([permitted, 0]);
});

test("in a task the option for every thread of Node changes nothing, and near without it the flag is refused", async () => {
	await using task = await Task.clone();
	task.run(() => api.setKeepCaps(true, { process: true }));
	expect([task.run(api.getKeepCaps), api.getKeepCaps()]).toEqual([true, false]);
	expect(() => api.setKeepCaps(false)).toThrow(MultithreadedError);
	await expect(Task.near.batch(() => api.setKeepCaps(true, { process: true }))).rejects.toThrow(BatchError);
});

test("EPERM: a securebit locks that they are kept", async () => {
	await using task = await Task.clone({ namespaces: ["user"], idMap: "root" });
	task.run(() => api.prctl("setSecurebits", 1 << 5));
	expect(() => task.run(() => api.setKeepCaps(true))).toThrow(
		expect.objectContaining({ code: "EPERM", syscall: "prctl" }),
	);
	expect(task.run(api.getKeepCaps)).toBe(false);
});

needs("huge pages").test("huge pages are off for what the task executes", async () => {
	await using task = await Task.clone();
	const before = status(task.pid, "THP_enabled");
	task.run(() => api.setThpDisable(true));
	expect(status(task.pid, "THP_enabled")).toBe("0");
	await using sleep = task.exec("sleep", ["sleep", "60"]);
	expect([status(sleep.pid, "THP_enabled"), status("self", "THP_enabled")]).toEqual(["0", before]);
});

test("timers of a task have a slack, and 0 is the one it began with", async () => {
	await using task = await Task.clone();
	const seen = () =>
		task.run(() => {
			using file = openat2(`${ownProc}/self/timerslack_ns`);
			return Number(file.read(64).toString());
		});
	const before = api.getTimerSlack();
	expect([task.run(api.getTimerSlack), seen()]).toEqual([before, before]);
	task.run(() => api.setTimerSlack(1_000_000_000));
	expect([task.run(api.getTimerSlack), seen(), api.getTimerSlack()]).toEqual([1e9, 1e9, before]);
	await task.batch(() => api.setTimerSlack(0));
	expect([task.run(api.getTimerSlack), seen()]).toEqual([before, before]);
	await expect(task.batch(api.getTimerSlack)).rejects.toThrow(BatchError);
	expect(() => api.setTimerSlack(-1)).toThrow(expect.objectContaining({ code: "ERR_OUT_OF_RANGE" }));
});

test("near, what belongs to a thread is refused", () => {
	expect(() => api.setKeepCaps(true)).toThrow(MultithreadedError);
	expect(() => api.setTimerSlack(1)).toThrow(MultithreadedError);
	expect([api.getKeepCaps(), api.getTimerSlack() > 1]).toEqual([false, true]);
});

needs("a kernel without Yama").test("setPtracer is EINVAL", async () => {
	await using task = await Task.clone();
	const error = expect.objectContaining({ code: "EINVAL", syscall: "prctl" });
	for (const tracer of ["any", null, process.pid, task.process] as const) {
		expect(() => api.setPtracer(tracer)).toThrow(error);
		await expect(task.batch(() => api.setPtracer(tracer))).rejects.toMatchObject({ code: "EINVAL", step: 0 });
	}
});

needs("Yama").test("a process is permitted to trace a task", async () => {
	await using task = await Task.clone();
	for (const tracer of ["any", process.pid, new api.Process(process.pid), null] as const) {
		await task.batch(() => api.setPtracer(tracer));
	}
});

test.each([0, -1, "all" as "any"])("tracer %s reaches no kernel", (tracer) => {
	expect(() => api.setPtracer(tracer)).toThrow(expect.objectContaining({ code: expect.stringMatching(/^ERR_/) }));
});
