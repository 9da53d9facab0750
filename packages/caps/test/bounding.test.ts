import { BatchError, MultithreadedError, Task } from "@nearfar/core";
import { expect, test } from "vitest";
import { needs } from "../../../test/needs.ts";
import { becomeOrdinary } from "../../../test/ordinary.ts";
import { refusal, refused } from "../../../test/refusal.ts";
import { forbid } from "../../../test/seccomp.ts";
import { bounding, CapabilitySet, capset } from "../src/index.ts";
import { powerful, prctl, sets } from "./task.ts";

const KILL = 1n << 5n;
const SETPCAP = 1n << 8n;
const PRCTL = process.arch === "arm64" ? 167 : 157;
const PR_CAPBSET_DROP = 24;
const CAPGET = process.arch === "arm64" ? 90 : 125;

test("near and far, the set is that of /proc", async () => {
	await using task = await powerful();
	expect(bounding.read().bits).toBe(sets("thread-self").Bnd);
	prctl(task, PR_CAPBSET_DROP, 5);
	expect(task.run(bounding.read).bits).toBe(CapabilitySet.all().bits & ~KILL);
	expect(sets(task.pid).Bnd).toBe(CapabilitySet.all().bits & ~KILL);
});

test("what is dropped is gone, and the other sets stay", async () => {
	await using task = await powerful();
	const before = sets(task.pid);
	task.run(() => bounding.drop(["kill", 12]));
	expect(sets(task.pid)).toEqual({ ...before, Bnd: before.Bnd & ~(KILL | (1n << 12n)) });
	task.run(() => bounding.drop(CapabilitySet.all()));
	expect(sets(task.pid)).toEqual({ ...before, Bnd: 0n });
});

test("libcap-ng #11 a task without /proc reads and drops the set", async () => {
	await using task = await Task.clone({ namespaces: ["user", "mnt"], idMap: "root" });
	const root = Buffer.from("/dev\0");
	task.syscall(process.arch === "arm64" ? 51 : 161, root); // chroot(2)
	task.run(() => bounding.drop(["kill"]));
	expect(task.run(bounding.read).has("kill")).toBe(false);
	expect(sets(task.pid).Bnd & KILL).toBe(0n);
});

test("PRC-05 without CAP_SETPCAP: EPERM, nothing is dropped, and the hint names it", async () => {
	await using task = await powerful();
	task.run(() => capset({ effective: ["kill"], permitted: ["kill"] }));
	const before = sets(task.pid);
	const error = refusal(() => task.run(() => bounding.drop(["kill", "chown"])));
	expect(error).toMatchObject({ code: "EPERM", syscall: "prctl", hint: expect.stringContaining("CAP_SETPCAP") });
	await expect(task.batch(() => bounding.drop(["kill"]))).rejects.toMatchObject({
		code: "EPERM",
		hint: expect.any(String),
	});
	expect(sets(task.pid)).toEqual(before);
});

test("what the set has lost already needs no privilege, but in a batch", async () => {
	await using task = await powerful();
	task.run(() => bounding.drop(["kill", "chown"]));
	task.run(() => capset({ effective: [], permitted: ["setpcap"] }));
	task.run(() => bounding.drop(["kill", "chown"]));
	await expect(task.batch(() => bounding.drop(["kill"]))).rejects.toThrow(refused("EPERM", "prctl"));
	const before = sets(task.pid);
	expect(() => task.run(() => bounding.drop(["kill", "fowner"]))).toThrow(refused("EPERM", "prctl"));
	expect(sets(task.pid)).toEqual(before);
	expect(before.Prm).toBe(SETPCAP);
});

test("bubblewrap #174 where a filter refuses the drop: EPERM, and the set stays", async () => {
	await using task = await powerful();
	forbid(task, PRCTL, 1, PR_CAPBSET_DROP);
	const before = sets(task.pid);
	expect(() => task.run(() => bounding.drop(["kill"]))).toThrow(refused("EPERM", "prctl"));
	expect(sets(task.pid)).toEqual(before);
});

needs("root").test("an ordinary user: EPERM", async () => {
	await using task = await Task.clone();
	becomeOrdinary(task);
	expect(() => task.run(() => bounding.drop(["kill"]))).toThrow(refused("EPERM", "prctl"));
	expect(sets(task.pid).Bnd & KILL).toBe(KILL);
});

test("an empty set asks for nothing", async () => {
	await using task = await powerful();
	task.run(() => capset({ effective: [], permitted: [] }));
	task.run(() => bounding.drop([]));
	await task.batch(() => bounding.drop(0n));
	expect(sets(task.pid).Bnd).toBe(CapabilitySet.all().bits);
});

test("in a batch it is collected as one step, and cannot be read", async () => {
	await using task = await powerful();
	const failed = task.batch(() => {
		bounding.drop(["kill", "chown", "fowner"]);
		task.syscall(CAPGET, 8, 0);
	});
	await expect(failed).rejects.toMatchObject({ code: "EFAULT", step: 1 });
	expect(sets(task.pid).Bnd & KILL).toBe(0n);
	await expect(task.batch(() => bounding.read())).rejects.toThrow(BatchError);
});

test("CAP-15 capabilities that the kernel does not have are a RangeError, and nothing is dropped", async () => {
	await using task = await powerful();
	for (const caps of [[5, 63], 1n << 63n, (1n << 41n) | CapabilitySet.all().bits | (1n << 62n)]) {
		expect(() => task.run(() => bounding.drop(caps))).toThrow(RangeError);
	}
	expect(() => bounding.drop([63])).toThrow(RangeError); // before the refusal near
	expect(sets(task.pid).Bnd).toBe(CapabilitySet.all().bits);
});

test("near without the option it is refused, also where nothing would change", async () => {
	const before = sets("thread-self");
	expect(() => bounding.drop(["kill"])).toThrow(MultithreadedError);
	expect(() => bounding.drop([])).toThrow(MultithreadedError);
	await expect(Task.near.batch(() => bounding.drop(["kill"]))).rejects.toThrow(MultithreadedError);
	await expect(Task.near.batch(() => bounding.drop(["kill"], { process: true }))).rejects.toThrow(BatchError);
	expect(sets("thread-self")).toEqual(before);
});

test("in a task the option for every thread of Node changes nothing about where the call runs", async () => {
	await using task = await powerful();
	const before = sets("self");
	task.run(() => bounding.drop(["kill"], { process: true }));
	expect([sets(task.pid).Bnd & KILL, sets("self")]).toEqual([0n, before]);
});
