import { BatchError, MultithreadedError, Task } from "@nearfar/core";
import { expect, test } from "vitest";
import { refusal } from "../../../test/refusal.ts";
import { bounding, CapabilitySet, type Caps, capget, capset } from "../src/index.ts";
import { powerful, prctl, sets } from "./task.ts";

const KILL = 1n << 5n;
const SETPCAP = 1n << 8n;
const NET_ADMIN = 1n << 12n;
const PR_CAP_AMBIENT = 47;
const PR_CAP_AMBIENT_RAISE = 2;
const NOBODY = 2 ** 31 - 1;

test("all three sets are set, by names, numbers, sets and bits", async () => {
	await using task = await powerful();
	task.run(() => capset({ effective: ["kill"], permitted: [5, 12], inheritable: NET_ADMIN }));
	expect(sets(task.pid)).toMatchObject({ Eff: KILL, Prm: KILL | NET_ADMIN, Inh: NET_ADMIN });
	task.run(() => capset({ effective: 0n, permitted: CapabilitySet.from(["kill"]), inheritable: [] }));
	expect(sets(task.pid)).toMatchObject({ Eff: 0n, Prm: KILL, Inh: 0n });
});

test("a set that is left out stays, and a set that is undefined is left out", async () => {
	await using task = await powerful();
	task.run(() => capset({ effective: ["kill"], permitted: ["kill", "netAdmin"], inheritable: ["kill"] }));
	task.run(() => capset({ effective: ["netAdmin"] }));
	expect(sets(task.pid)).toMatchObject({ Eff: NET_ADMIN, Prm: KILL | NET_ADMIN, Inh: KILL });
	task.run(() => capset({ inheritable: [], permitted: undefined } as { inheritable: Caps }));
	expect(sets(task.pid)).toMatchObject({ Eff: NET_ADMIN, Prm: KILL | NET_ADMIN, Inh: 0n });
	task.run(() => capset({}));
	expect(sets(task.pid)).toMatchObject({ Eff: NET_ADMIN, Prm: KILL | NET_ADMIN, Inh: 0n });
});

test("caps-rs #28 permitted alone cannot be lowered below effective: EPERM, and both together can", async () => {
	await using task = await powerful();
	const { Prm } = sets(task.pid);
	const rest = Prm & ~KILL;
	expect(refusal(() => task.run(() => capset({ permitted: rest })))).toMatchObject({
		code: "EPERM",
		syscall: "capset",
		hint: expect.stringContaining("kill"),
	});
	expect(sets(task.pid).Prm).toBe(Prm);
	task.run(() => capset({ effective: rest, permitted: rest }));
	expect(sets(task.pid)).toMatchObject({ Eff: rest, Prm: rest });
});

test("CAP-03 what is not permitted is not regained: EPERM, and the hint names it", async () => {
	await using task = await powerful();
	task.run(() => capset({ effective: ["kill"], permitted: ["kill"], inheritable: [] }));
	const before = sets(task.pid);
	for (const wanted of [
		{ effective: ["kill", "netAdmin"] },
		{ permitted: ["kill", "netAdmin"] },
		{ inheritable: ["netAdmin"] },
	]) {
		const error = refusal(() => task.run(() => capset(wanted as { effective: Caps })));
		expect(error).toMatchObject({ code: "EPERM", syscall: "capset", hint: expect.stringContaining("netAdmin") });
	}
	expect(sets(task.pid)).toEqual(before);
});

test("CAP-06 with CAP_SETPCAP what is in the bounding set becomes inheritable; what has left it only stays", async () => {
	await using task = await powerful();
	task.run(() => capset({ effective: ["setpcap"], permitted: ["setpcap"], inheritable: ["netAdmin"] }));
	expect(sets(task.pid).Inh).toBe(NET_ADMIN);
	task.run(() => bounding.drop(["netAdmin", "kill"]));
	task.run(() => capset({ inheritable: ["netAdmin"] })); // it is inheritable already
	const error = refusal(() => task.run(() => capset({ inheritable: ["kill"] })));
	expect(error).toMatchObject({ code: "EPERM", hint: expect.stringContaining("bounding") });
	expect(sets(task.pid)).toMatchObject({ Inh: NET_ADMIN, Eff: SETPCAP });
});

test("the ambient set loses what is not permitted or not inheritable any more", async () => {
	await using task = await powerful();
	task.run(() => capset({ inheritable: ["kill", "netAdmin"] }));
	for (const capability of [5, 12]) prctl(task, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability);
	task.run(() => capset({ inheritable: ["kill"] }));
	expect(sets(task.pid).Amb).toBe(KILL);
	task.run(() => capset({ effective: ["setpcap"], permitted: ["setpcap"] }));
	expect(sets(task.pid)).toMatchObject({ Amb: 0n, Inh: KILL });
});

test("bits above the last capability of the kernel are ignored, as capget tells", async () => {
	await using task = await powerful();
	const future = 1n << 63n;
	task.run(() => capset({ effective: KILL | future, permitted: KILL | future, inheritable: future }));
	const { effective, permitted, inheritable } = task.run(capget);
	expect([effective.bits, permitted.bits, inheritable.bits]).toEqual([KILL, KILL, 0n]);
});

test("pid is 0 or the number of the caller: any other is EPERM, also one that is missing and -1", async () => {
	await using task = await powerful();
	task.run(() => capset({ inheritable: ["kill"] }, { pid: 0 }));
	task.run(() => capset({ inheritable: ["netAdmin"] }, { pid: task.pid }));
	expect(sets(task.pid).Inh).toBe(NET_ADMIN);
	for (const pid of [1, process.pid, NOBODY, -1]) {
		const error = refusal(() => task.run(() => capset({ inheritable: [] }, { pid })));
		expect(error).toMatchObject({ code: "EPERM", syscall: "capset", hint: expect.stringContaining("pid") });
	}
	expect(sets(task.pid).Inh).toBe(NET_ADMIN);
});

test("a batch collects all three sets, and cannot read the one that is left out", async () => {
	await using task = await powerful();
	await task.batch(() => capset({ effective: ["kill"], permitted: ["kill"], inheritable: [] }));
	expect(sets(task.pid)).toMatchObject({ Eff: KILL, Prm: KILL, Inh: 0n });
	await expect(task.batch(() => capset({ effective: [], permitted: [] }))).rejects.toThrow(BatchError);
	await expect(
		task.batch(() => capset({ effective: ["chown"], permitted: [], inheritable: [] })),
	).rejects.toMatchObject({
		code: "EPERM",
		syscall: "capset",
		hint: expect.any(String),
	});
	expect(sets(task.pid)).toMatchObject({ Eff: KILL, Prm: KILL, Inh: 0n });
});

test("CAP-05 near it would change one thread: refused, also where nothing would change", async () => {
	const before = sets("thread-self");
	expect(() => capset({})).toThrow(MultithreadedError);
	const all = { effective: [], permitted: [], inheritable: [] };
	expect(() => capset(all)).toThrow(MultithreadedError);
	await expect(Task.near.batch(() => capset(all))).rejects.toThrow(MultithreadedError);
	await expect(Task.near.batch(() => capset(all, { process: true }))).rejects.toThrow(BatchError);
	expect([sets("self"), sets("thread-self")]).toEqual([before, before]);
});

test("in a task the option for every thread of Node changes nothing about where the call runs", async () => {
	await using task = await powerful();
	const before = sets("self");
	task.run(() => capset({ inheritable: ["kill"] }, { process: true }));
	expect([sets(task.pid).Inh, sets("self")]).toEqual([KILL, before]);
});

test.each<[string, () => void, string]>([
	["no sets", () => capset(undefined as never), "ERR_INVALID_ARG_TYPE"],
	["an array", () => capset([] as never), "ERR_INVALID_ARG_TYPE"],
	["an unknown set", () => capset({ efective: [] } as never), "ERR_INVALID_ARG_VALUE"],
	["an unknown option", () => capset({}, { pids: 1 } as never), "ERR_INVALID_ARG_VALUE"],
	["a name that is none", () => capset({ effective: ["cap_kill" as "kill"] }), "ERR_INVALID_ARG_VALUE"],
	["text", () => capset({ effective: "kill" as never }), "ERR_INVALID_ARG_TYPE"],
	["a number above 63", () => capset({ permitted: [64] }), "ERR_OUT_OF_RANGE"],
	["more than 64 bits", () => capset({ inheritable: 1n << 64n }), "ERR_OUT_OF_RANGE"],
	["half a pid", () => capset({}, { pid: 0.5 }), "ERR_OUT_OF_RANGE"],
	["a pid of more than 32 bits", () => capset({}, { pid: 2 ** 31 }), "ERR_OUT_OF_RANGE"],
	["a pid as text", () => capset({}, { pid: "1" as never }), "ERR_INVALID_ARG_TYPE"],
	["process: 1", () => capset({}, { process: 1 as never }), "ERR_INVALID_ARG_TYPE"],
])("%s reaches no kernel", async (_, call, code) => {
	await using task = await powerful();
	const before = sets(task.pid);
	expect(() => task.run(call)).toThrow(expect.objectContaining({ code }));
	expect(sets(task.pid)).toEqual(before);
});
