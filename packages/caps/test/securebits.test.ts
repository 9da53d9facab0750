import { BatchError, MultithreadedError, Task } from "@nearfar/core";
import { expect, test } from "vitest";
import { needs } from "../../../test/needs.ts";
import { becomeOrdinary } from "../../../test/ordinary.ts";
import { refusal, refused } from "../../../test/refusal.ts";
import { capset, type SecureBit, securebits } from "../src/index.ts";
import { powerful, prctl, sets } from "./task.ts";

const PR_GET_SECUREBITS = 27;
const withoutSetpcap = () => capset({ effective: [], permitted: [] });
const old: SecureBit[] = ["noRoot", "noSetuidFixup", "keepCaps", "noCapAmbientRaise"];

test("near and far, the bits are those of the kernel", async () => {
	await using task = await powerful();
	expect(securebits.read()).toEqual({ set: [], locked: [], bits: 0 });
	task.run(() => securebits.set(0x25));
	expect(task.run(securebits.read)).toEqual({ set: ["noRoot", "noSetuidFixup"], locked: ["keepCaps"], bits: 0x25 });
	expect(raw(task)).toBe(0x25);
});

test.each<[SecureBit, number]>([
	["noRoot", 1],
	["noSetuidFixup", 4],
	["keepCaps", 16],
	["noCapAmbientRaise", 64],
])("%s is bit %i, and its lock is the next one", async (name, bit) => {
	await using task = await powerful();
	task.run(() => securebits.set([name]));
	expect(raw(task)).toBe(bit);
	task.run(() => securebits.lock([name]));
	expect(raw(task)).toBe(bit * 3);
	expect(task.run(securebits.read)).toEqual({ set: [name], locked: [name], bits: bit * 3 });
});

test("with names exactly these are set, and locks stay", async () => {
	await using task = await powerful();
	task.run(() => securebits.set(["noRoot", "keepCaps"]));
	task.run(() => securebits.lock(["noRoot"]));
	task.run(() => securebits.set(["noRoot", "noSetuidFixup"]));
	expect(raw(task)).toBe(1 | 2 | 4);
	task.run(() => securebits.set(["noRoot"]));
	expect(raw(task)).toBe(1 | 2);
});

test("lock without names locks all bits, and values stay", async () => {
	await using task = await powerful();
	task.run(() => securebits.set(["noSetuidFixup"]));
	task.run(() => securebits.lock());
	expect(task.run(securebits.read)).toMatchObject({ set: ["noSetuidFixup"], locked: expect.arrayContaining(old) });
	const { bits } = task.run(securebits.read);
	expect(() => task.run(() => securebits.set(["noRoot"]))).toThrow(refused("EPERM", "prctl"));
	task.run(() => securebits.lock());
	expect(raw(task)).toBe(bits);
});

needs("Linux 6.14").test("the bits about execve need no privilege where no other bit changes", async () => {
	await using task = await powerful();
	task.run(withoutSetpcap);
	task.run(() => securebits.set(["execRestrictFile", "execDenyInteractive"]));
	task.run(() => securebits.lock(["execRestrictFile"]));
	expect(task.run(securebits.read)).toEqual({
		set: ["execRestrictFile", "execDenyInteractive"],
		locked: ["execRestrictFile"],
		bits: 0x700,
	});
	expect(() => task.run(() => securebits.set(["execRestrictFile", "noRoot"]))).toThrow(refused("EPERM", "prctl"));
	await using other = await powerful();
	other.run(() => securebits.lock());
	expect(raw(other)).toBe(0xaaa);
});

test("CAP-13 a locked bit, a lock that is taken away and an unknown bit are EPERM, and the hint says which", async () => {
	await using task = await powerful();
	task.run(() => securebits.set(["noRoot"]));
	task.run(() => securebits.lock(["noRoot", "keepCaps"]));
	const before = raw(task);
	for (const [bits, hint] of [
		[[], "noRoot"],
		[["noRoot", "keepCaps"], "keepCaps"],
		[before & ~2, "noRoot"],
		[0x4000_0000 | before, "0x40000000"],
	] as const) {
		const error = refusal(() => task.run(() => securebits.set(bits)));
		expect(error).toMatchObject({ code: "EPERM", syscall: "prctl", hint: expect.stringContaining(hint) });
	}
	expect(raw(task)).toBe(before);
});

test("PRC-05 without CAP_SETPCAP: EPERM, also for the same value and for keepCaps", async () => {
	await using task = await powerful();
	task.run(withoutSetpcap);
	for (const bits of [["noRoot"], ["keepCaps"], [], 0] as const) {
		const error = refusal(() => task.run(() => securebits.set(bits)));
		expect(error).toMatchObject({ code: "EPERM", syscall: "prctl", hint: expect.stringContaining("CAP_SETPCAP") });
	}
	expect(() => task.run(() => securebits.lock(["keepCaps"]))).toThrow(refused("EPERM", "prctl"));
	expect(raw(task)).toBe(0);
});

needs("root").test("CAP-14 with noSetuidFixup a change of user ids keeps the capabilities", async () => {
	await using task = await Task.clone();
	task.run(() => securebits.set(["noSetuidFixup"]));
	const before = sets(task.pid);
	becomeOrdinary(task);
	expect(sets(task.pid)).toEqual(before);
});

needs("root").test("systemd #16727 after the change of user ids the securebits are EPERM", async () => {
	await using task = await Task.clone();
	becomeOrdinary(task);
	expect(() => task.run(() => securebits.set(["noRoot"]))).toThrow(refused("EPERM", "prctl"));
});

test("a batch takes a number, and can neither read nor take names", async () => {
	await using task = await powerful();
	await task.batch(() => securebits.set(5));
	expect(raw(task)).toBe(5);
	for (const call of [() => securebits.set(["noRoot"]), () => securebits.lock(), () => securebits.read()]) {
		await expect(task.batch(() => void call())).rejects.toThrow(BatchError);
	}
	task.run(withoutSetpcap);
	await expect(task.batch(() => securebits.set(5))).rejects.toMatchObject({ code: "EPERM", hint: expect.any(String) });
	expect(raw(task)).toBe(5);
});

test("near without the option it is refused, also where nothing would change", async () => {
	for (const call of [() => securebits.set(0), () => securebits.set([]), () => securebits.lock()]) {
		expect(call).toThrow(MultithreadedError);
	}
	await expect(Task.near.batch(() => securebits.set(0))).rejects.toThrow(MultithreadedError);
	await expect(Task.near.batch(() => securebits.set(0, { process: true }))).rejects.toThrow(BatchError);
	expect(securebits.read().bits).toBe(0);
});

test("in a task the option for every thread of Node changes nothing about where the call runs", async () => {
	await using task = await powerful();
	task.run(() => securebits.set(["noRoot"], { process: true }));
	task.run(() => securebits.lock(["noRoot"], { process: true }));
	expect([raw(task), securebits.read().bits]).toEqual([3, 0]);
});

test.each<[string, () => void, string]>([
	["a name of the kernel's header", () => securebits.set(["noroot" as "noRoot"]), "ERR_INVALID_ARG_VALUE"],
	["a name that every object has", () => securebits.lock(["toString" as "noRoot"]), "ERR_INVALID_ARG_VALUE"],
	["a name without a list", () => securebits.set("noRoot" as never), "ERR_INVALID_ARG_TYPE"],
	["a number to lock", () => securebits.lock(1 as never), "ERR_INVALID_ARG_TYPE"],
	["a number below 0", () => securebits.set(-1), "ERR_OUT_OF_RANGE"],
	["a number of more than 32 bits", () => securebits.set(2 ** 32), "ERR_OUT_OF_RANGE"],
	["half a number", () => securebits.set(0.5), "ERR_OUT_OF_RANGE"],
	["an unknown option", () => securebits.set(0, { proces: true } as never), "ERR_INVALID_ARG_VALUE"],
])("%s reaches no kernel", async (_, call, code) => {
	await using task = await powerful();
	expect(() => task.run(call)).toThrow(expect.objectContaining({ code }));
	expect(raw(task)).toBe(0);
});

/** Returns the securebits by the bare call. */
function raw(task: Task): number {
	return Number(prctl(task, PR_GET_SECUREBITS));
}
