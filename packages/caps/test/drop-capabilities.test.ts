import { readFileSync } from "node:fs";
import { MultithreadedError, Task } from "@nearfar/core";
import { expect, test } from "vitest";
import { refusal, refused } from "../../../test/refusal.ts";
import { type Capability, CapabilitySet, dropCapabilities } from "../src/index.ts";
import { capset, prctl, sets, setsAfterExec } from "./task.ts";

const KILL = 1n << 5n;
const SETPCAP = 1n << 8n;
const NET_ADMIN = 1n << 12n;
const PR_CAPBSET_READ = 23;
const PR_SET_SECUREBITS = 28;
const PR_CAP_AMBIENT = 47;
const PR_CAP_AMBIENT_RAISE = 2;
const SECBIT_NOROOT = 1;
const last = Number(readFileSync("/proc/sys/kernel/cap_last_cap", "utf8"));
const none = { Inh: 0n, Prm: 0n, Eff: 0n, Bnd: 0n, Amb: 0n };

test("all five sets are empty afterwards", async () => {
	await using task = await powerful();
	expect(sets(task.pid)).not.toEqual(none);
	task.run(() => dropCapabilities());
	expect(sets(task.pid)).toEqual(none);
});

test.each([
	["names", ["kill", "netAdmin"] as Capability[]],
	["a set", CapabilitySet.from(KILL | NET_ADMIN)],
])("%s can be kept: effective, permitted and bounding, and no more inheritable", async (_, keep) => {
	await using task = await powerful();
	capset(task, sets(task.pid).Eff, sets(task.pid).Prm, KILL | NET_ADMIN);
	prctl(task, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, 5);
	expect(sets(task.pid).Amb).toBe(KILL);
	task.run(() => dropCapabilities(keep));
	const kept = KILL | NET_ADMIN;
	expect(sets(task.pid)).toEqual({ Inh: 0n, Prm: kept, Eff: kept, Bnd: kept, Amb: 0n });
});

test("what was not permitted is not gained by keeping it", async () => {
	await using task = await powerful();
	capset(task, SETPCAP, SETPCAP | KILL, 0n);
	task.run(() => dropCapabilities(["kill", "netAdmin"]));
	expect(sets(task.pid)).toEqual({ Inh: 0n, Prm: KILL, Eff: KILL, Bnd: KILL | NET_ADMIN, Amb: 0n });
});

test("dropping again, and more, needs no privilege where the bounding set has nothing to lose", async () => {
	await using task = await powerful();
	task.run(() => dropCapabilities(["kill"]));
	task.run(() => dropCapabilities(["kill"]));
	expect(sets(task.pid).Eff).toBe(KILL);
	expect(() => task.run(() => dropCapabilities())).toThrow(refused("EPERM", "prctl"));
	await using other = await powerful();
	other.run(() => {
		dropCapabilities();
		dropCapabilities();
	});
	expect(sets(other.pid)).toEqual(none);
});

test("CAP_SETPCAP that is permitted and not effective, as after a change of user ids, is made effective first", async () => {
	await using task = await powerful();
	capset(task, KILL, KILL | SETPCAP, 0n);
	task.run(() => dropCapabilities(["kill"]));
	expect(sets(task.pid)).toEqual({ ...none, Prm: KILL, Eff: KILL, Bnd: KILL });
	capset(task, 0n, KILL, 0n); // nothing to lose in the bounding set
	task.run(() => dropCapabilities(["kill"]));
	expect(sets(task.pid)).toEqual({ ...none, Prm: KILL, Eff: KILL, Bnd: KILL });
});

test("a batch leaves CAP_SETPCAP as it is: EPERM where it is not effective, and nothing is dropped", async () => {
	await using task = await powerful();
	capset(task, KILL, KILL | SETPCAP, 0n);
	const before = sets(task.pid);
	await expect(task.batch(() => dropCapabilities())).rejects.toThrow(refused("EPERM", "prctl"));
	expect(sets(task.pid)).toEqual(before);
});

test("without CAP_SETPCAP: EPERM, and nothing is dropped", async () => {
	await using task = await powerful();
	capset(task, KILL, KILL, 0n);
	const before = sets(task.pid);
	expect(refusal(() => task.run(() => dropCapabilities()))).toMatchObject({
		code: "EPERM",
		syscall: "prctl",
		hint: expect.stringContaining("CAP_SETPCAP"),
	});
	await expect(task.batch(() => dropCapabilities())).rejects.toThrow(refused("EPERM", "prctl"));
	expect(sets(task.pid)).toEqual(before);
});

test("in a batch it is collected; there what is kept has to be permitted", async () => {
	await using task = await powerful();
	await task.batch(() => dropCapabilities(["setpcap", "kill"]));
	expect(sets(task.pid).Prm).toBe(SETPCAP | KILL);
	await expect(task.batch(() => dropCapabilities(["netAdmin"]))).rejects.toThrow(refused("EPERM", "capset"));
	await task.batch(() => dropCapabilities());
	expect(sets(task.pid)).toEqual(none);
});

test("CAP-05 near it would change one thread: refused, and nothing changes", async () => {
	const before = sets("thread-self");
	expect(() => dropCapabilities()).toThrow(MultithreadedError);
	expect(() => dropCapabilities(["kill"])).toThrow(MultithreadedError);
	await expect(Task.near.batch(() => dropCapabilities())).rejects.toThrow(MultithreadedError);
	expect([sets("self"), sets("thread-self")]).toEqual([before, before]);
});

test("CAP-07 a program of user 0 gets back what the bounding set has", async () => {
	await using task = await powerful();
	const { Bnd } = sets(task.pid);
	expect(await setsAfterExec(task)).toMatchObject({ Prm: Bnd, Eff: Bnd });
});

test("CAP-07 a program of user 0 gets nothing where the bounding set is empty", async () => {
	await using task = await powerful();
	task.run(() => dropCapabilities());
	expect(await setsAfterExec(task)).toEqual(none);
});

test("CAP-07 a program of user 0 gets nothing with SECBIT_NOROOT", async () => {
	await using task = await powerful();
	prctl(task, PR_SET_SECUREBITS, SECBIT_NOROOT);
	expect(await setsAfterExec(task)).toMatchObject({ Prm: 0n, Eff: 0n });
});

test("CAP-08 a program of another user loses what was kept", async () => {
	const map = (id: number | undefined) => [{ inside: 1000, outside: id ?? 0, count: 1 }];
	const idMap = { uids: map(process.getuid?.()), gids: map(process.getgid?.()) };
	await using task = await Task.clone({ namespaces: ["user"], idMap });
	task.run(() => dropCapabilities(["kill"]));
	expect(sets(task.pid)).toMatchObject({ Prm: KILL, Eff: KILL });
	expect(await setsAfterExec(task)).toEqual({ ...none, Bnd: KILL });
});

test("CAP-15 the kernel's last capability is dropped, and none after it, which would be EINVAL", async () => {
	await using task = await powerful();
	expect(() => prctl(task, PR_CAPBSET_READ, last + 1)).toThrow(refused("EINVAL", "syscall"));
	expect(prctl(task, PR_CAPBSET_READ, last)).toBe((sets(task.pid).Bnd >> BigInt(last)) & 1n);
	task.run(() => dropCapabilities());
	expect(prctl(task, PR_CAPBSET_READ, last)).toBe(0n);
});

test("a name that is none is refused before anything is done", async () => {
	await using task = await powerful();
	const before = sets(task.pid);
	const error = expect.objectContaining({ code: "ERR_INVALID_ARG_VALUE" });
	expect(() => task.run(() => dropCapabilities(["kill", "cap_kill" as "kill"]))).toThrow(error);
	expect(sets(task.pid)).toEqual(before);
});

/** A task that is user 0 of a new user namespace: the task has every capability there, for any caller. */
function powerful(): Promise<Task> {
	return Task.clone({ namespaces: ["user"], idMap: "root" });
}
