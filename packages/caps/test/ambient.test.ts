import { chmodSync, chownSync, copyFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BatchError, MultithreadedError, Task } from "@nearfar/core";
import { expect, test } from "vitest";
import { needs } from "../../../test/needs.ts";
import { becomeOrdinary } from "../../../test/ordinary.ts";
import { refusal, refused } from "../../../test/refusal.ts";
import { forbid } from "../../../test/seccomp.ts";
import { ambient, bounding, CapabilitySet, capset, securebits } from "../src/index.ts";
import { powerful, powerfulUser, prctl, sets, setsAfterExec } from "./task.ts";

const CHOWN = 1n;
const KILL = 1n << 5n;
const NET_ADMIN = 1n << 12n;
const PRCTL = process.arch === "arm64" ? 167 : 157;
const PR_SET_KEEPCAPS = 8;
const PR_CAP_AMBIENT = 47;
const PR_CAP_AMBIENT_RAISE = 2;

test("near and far, the set is that of /proc", async () => {
	await using task = await powerful();
	expect(ambient.read().bits).toBe(sets("thread-self").Amb);
	task.run(() => capset({ inheritable: ["kill", "chown"] }));
	task.run(() => ambient.raise(["kill", 0]));
	expect([task.run(ambient.read).bits, sets(task.pid).Amb]).toEqual([KILL | CHOWN, KILL | CHOWN]);
});

test("CAP-09 with inheritable a program of another user than 0 has the capability in all sets", async () => {
	await using task = await powerfulUser();
	task.run(() => ambient.raise(["netAdmin"], { inheritable: true }));
	expect(sets(task.pid)).toMatchObject({ Inh: NET_ADMIN, Amb: NET_ADMIN });
	expect(await setsAfterExec(task)).toMatchObject({ Eff: NET_ADMIN, Prm: NET_ADMIN, Inh: NET_ADMIN, Amb: NET_ADMIN });
});

test("PRC-04 what is not inheritable is EPERM, and nothing was raised", async () => {
	await using task = await powerful();
	task.run(() => capset({ inheritable: ["chown", "kill"] }));
	task.run(() => ambient.raise(["chown"]));
	const before = sets(task.pid);
	const error = refusal(() => task.run(() => ambient.raise(["chown", "kill", "netAdmin", "sysAdmin"])));
	expect(error).toMatchObject({
		code: "EPERM",
		syscall: "prctl",
		hint: expect.stringMatching(/netAdmin,sysAdmin is not inheritable/),
	});
	expect(sets(task.pid)).toEqual(before);
});

test.each([
	["the first", ["chown", "kill"]],
	["the last", ["kill", "netAdmin"]],
	["one in the middle", ["kill", "chown", "setuid"]],
] as const)("a raise that is refused at %s leaves all as it was", async (_, caps) => {
	await using task = await powerful();
	const refusedOne = { "the first": "chown", "the last": "netAdmin", "one in the middle": "setuid" }[_] as "chown";
	task.run(() => capset({ inheritable: CapabilitySet.all().difference([refusedOne]) }));
	const before = sets(task.pid);
	expect(() => task.run(() => ambient.raise(caps))).toThrow(refused("EPERM", "prctl"));
	expect(sets(task.pid)).toEqual(before);
});

test("with inheritable, a refusal takes the capabilities out of the inheritable set again", async () => {
	await using task = await powerful();
	task.run(() => {
		ambient.raise(["chown"], { inheritable: true });
		securebits.set(["noCapAmbientRaise"]);
	});
	const before = sets(task.pid);
	expect(before).toMatchObject({ Inh: CHOWN, Amb: CHOWN });
	const error = refusal(() => task.run(() => ambient.raise(["chown", "kill"], { inheritable: true })));
	expect(error).toMatchObject({ code: "EPERM", syscall: "prctl", hint: expect.stringContaining("noCapAmbientRaise") });
	expect(sets(task.pid)).toEqual(before);
});

test("what is not permitted is EPERM, and the hint says so", async () => {
	await using task = await powerful();
	task.run(() => capset({ effective: [], permitted: ["chown"], inheritable: ["kill", "chown"] }));
	const before = sets(task.pid);
	for (const options of [{}, { inheritable: true }]) {
		const error = refusal(() => task.run(() => ambient.raise(["chown", "kill"], options)));
		expect(error).toMatchObject({ code: "EPERM", syscall: "prctl", hint: "kill is not permitted" });
		expect(sets(task.pid)).toEqual(before);
	}
});

test("with inheritable, what the bounding set does not have is EPERM of capset", async () => {
	await using task = await powerful();
	task.run(() => bounding.drop(["kill"]));
	const before = sets(task.pid);
	const error = refusal(() => task.run(() => ambient.raise(["kill"], { inheritable: true })));
	expect(error).toMatchObject({ code: "EPERM", syscall: "capset", hint: expect.stringContaining("bounding") });
	expect(sets(task.pid)).toEqual(before);
});

test("CAP-13 with the securebit noCapAmbientRaise: EPERM, which says so", async () => {
	await using task = await powerful();
	task.run(() => capset({ inheritable: ["kill"] }));
	task.run(() => securebits.set(["noCapAmbientRaise"]));
	const error = refusal(() => task.run(() => ambient.raise(["kill"])));
	expect(error).toMatchObject({ code: "EPERM", hint: "the securebit noCapAmbientRaise is set" });
});

test.each([
	["all of the ambient set", PR_CAP_AMBIENT, 0],
	["to raise a capability", PR_CAP_AMBIENT_RAISE, 1],
])("where a filter forbids %s, the refusal is reported as it is", async (_, value, argument) => {
	await using task = await powerful();
	task.run(() => capset({ inheritable: ["kill"] }));
	forbid(task, PRCTL, 1, value, argument);
	const before = sets(task.pid);
	expect(() => task.run(() => ambient.raise(["kill"]))).toThrow(refused("EPERM", "prctl"));
	expect(() => task.run(() => ambient.raise(["kill"], { inheritable: true }))).toThrow(refused("EPERM", "prctl"));
	expect(sets(task.pid)).toEqual(before);
});

test("lower and clear take out what is there; what is not there is no error", async () => {
	await using task = await powerful();
	task.run(() => {
		ambient.raise(["chown", "kill", "netAdmin"], { inheritable: true });
		ambient.lower(["kill", "sysAdmin"]);
	});
	expect(sets(task.pid).Amb).toBe(CHOWN | NET_ADMIN);
	task.run(() => ambient.clear());
	expect(sets(task.pid)).toMatchObject({ Amb: 0n, Inh: CHOWN | KILL | NET_ADMIN });
	task.run(() => ambient.clear());
	task.run(() => ambient.lower([]));
});

test("the ambient set survives the loss of the bounding set", async () => {
	await using task = await powerful();
	task.run(() => ambient.raise(["kill"], { inheritable: true }));
	task.run(() => bounding.drop(["kill"]));
	expect(sets(task.pid).Amb).toBe(KILL);
});

needs("root").test.each([
	["lost", 0, 0n],
	["lost with keepcaps, too", 1, 0n],
	["kept with noSetuidFixup", 2, KILL],
])("CAP-12 systemd #16972 at a change of all user ids away from 0 it is %s", async (_, how, left) => {
	await using task = await Task.clone();
	task.run(() => ambient.raise(["kill"], { inheritable: true }));
	if (how === 1) prctl(task, PR_SET_KEEPCAPS, 1);
	if (how === 2) task.run(() => securebits.set(["noSetuidFixup"]));
	becomeOrdinary(task);
	expect(sets(task.pid).Amb).toBe(left);
});

needs("root", "a temporary folder whose files can be executed").test.each([
	["keeps them at a file of user 0", 0, 0, 0o755, "Amb"],
	["keeps them at a set-user-id file of user 0", 0, 0, 0o4755, "Amb"],
	["loses them at a set-user-id file of another user, and nothing is effective", 1234, 0, 0o4755, undefined],
	["loses them at a set-group-id file of another group, and stays user 0", 0, 1234, 0o2755, "Eff"],
] as const)("CAP-18 user 0 with ambient capabilities %s", async (_, uid, gid, mode, left) => {
	const folder = mkdtempSync(join(tmpdir(), "nearfar-caps-"));
	try {
		const program = join(folder, "cat");
		copyFileSync("/bin/cat", program);
		chownSync(program, uid, gid);
		chmodSync(program, mode);
		await using task = await Task.clone();
		task.run(() => ambient.raise(["kill"], { inheritable: true }));
		const { Eff, Amb, Inh } = await setsAfterExec(task, program);
		expect([Inh, Amb, Eff & KILL]).toEqual([KILL, left === "Amb" ? KILL : 0n, left ? KILL : 0n]);
	} finally {
		rmSync(folder, { recursive: true });
	}
});

test("a batch raises, lowers and clears, each as one step, without reading and undoing", async () => {
	await using task = await powerful();
	await task.batch(() => {
		capset({ effective: CapabilitySet.all(), permitted: CapabilitySet.all(), inheritable: ["chown", "kill"] });
		ambient.raise(["chown", "kill"]);
		ambient.lower(["chown"]);
	});
	expect(sets(task.pid).Amb).toBe(KILL);
	const failed = task.batch(() => {
		ambient.clear();
		ambient.raise(["chown", "netAdmin"]);
	});
	await expect(failed).rejects.toMatchObject({ code: "EPERM", syscall: "prctl", step: 1, hint: expect.any(String) });
	expect(sets(task.pid).Amb).toBe(CHOWN);
	await expect(task.batch(() => ambient.read())).rejects.toThrow(BatchError);
	await expect(task.batch(() => ambient.raise(["kill"], { inheritable: true }))).rejects.toThrow(BatchError);
});

test("capabilities that the kernel does not have are a RangeError, and nothing is raised", async () => {
	await using task = await powerful();
	task.run(() => capset({ inheritable: ["kill"] }));
	const before = sets(task.pid);
	for (const caps of [[5, 63], 2n ** 64n - 1n]) {
		expect(() => task.run(() => ambient.raise(caps))).toThrow(RangeError);
		expect(() => task.run(() => ambient.lower(caps))).toThrow(RangeError);
	}
	expect(sets(task.pid)).toEqual(before);
});

test("near without the option it is refused, also where nothing would change", async () => {
	const before = sets("thread-self");
	for (const call of [() => ambient.raise([]), () => ambient.lower(["kill"]), () => ambient.clear()]) {
		expect(call).toThrow(MultithreadedError);
		await expect(Task.near.batch(call)).rejects.toThrow(MultithreadedError);
	}
	await expect(Task.near.batch(() => ambient.clear({ process: true }))).rejects.toThrow(BatchError);
	expect(sets("thread-self")).toEqual(before);
});

test("in a task the option for every thread of Node changes nothing about where the call runs", async () => {
	await using task = await powerful();
	const before = sets("self");
	task.run(() => ambient.raise(["kill", "chown"], { inheritable: true, process: true }));
	task.run(() => ambient.lower(["chown"], { process: true }));
	expect([sets(task.pid).Amb, sets("self")]).toEqual([KILL, before]);
	task.run(() => ambient.clear({ process: true }));
	expect(sets(task.pid).Amb).toBe(0n);
});

test.each<[string, () => void, string]>([
	["an unknown option", () => ambient.raise([], { inherit: true } as never), "ERR_INVALID_ARG_VALUE"],
	["inheritable: 1", () => ambient.raise([], { inheritable: 1 as never }), "ERR_INVALID_ARG_TYPE"],
	["process: 1", () => ambient.clear({ process: 1 as never }), "ERR_INVALID_ARG_TYPE"],
	["an option of raise", () => ambient.lower([], { inheritable: true } as never), "ERR_INVALID_ARG_VALUE"],
	["text", () => ambient.raise("kill" as never), "ERR_INVALID_ARG_TYPE"],
	["nothing", () => ambient.lower(undefined as never), "ERR_INVALID_ARG_TYPE"],
])("%s reaches no kernel", async (_, call, code) => {
	await using task = await powerful();
	expect(() => task.run(call)).toThrow(expect.objectContaining({ code }));
});
