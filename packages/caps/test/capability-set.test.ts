import { readFileSync } from "node:fs";
import { Task } from "@nearfar/core";
import { expect, test } from "vitest";
import { fixturePath } from "../../../test/fixture.ts";
import { refused } from "../../../test/refusal.ts";
import { forbid } from "../../../test/seccomp.ts";
import { type Capability, CapabilitySet, type Caps, capget, dropCapabilities } from "../src/index.ts";
import { randomSets } from "./libcap.ts";
import { capset, powerful, sets } from "./task.ts";

const PR_CAPBSET_READ = 23;
const last = Number(readFileSync("/proc/sys/kernel/cap_last_cap", "utf8"));

const wrongSources: [source: unknown, code: string][] = [
	[["cap_kill"], "ERR_INVALID_ARG_VALUE"],
	[5, "ERR_INVALID_ARG_TYPE"],
	["kill", "ERR_INVALID_ARG_TYPE"],
	[null, "ERR_INVALID_ARG_TYPE"],
	[{ bits: 5n }, "ERR_INVALID_ARG_TYPE"],
	[[64], "ERR_OUT_OF_RANGE"],
	[-1n, "ERR_OUT_OF_RANGE"],
	[1n << 64n, "ERR_OUT_OF_RANGE"],
];

test("a set is made of names, of bits, or of another set", () => {
	const named = CapabilitySet.from(["sysAdmin", "chown", "sysAdmin"]);
	expect(named.bits).toBe((1n << 21n) | 1n);
	expect([...named]).toEqual(["chown", "sysAdmin"]);
	expect(`${named}`).toBe("chown,sysAdmin");
	for (const same of [CapabilitySet.from(named.bits), CapabilitySet.from(named), CapabilitySet.from(new Set(named))]) {
		expect(same.equals(named)).toBe(true);
	}
	expect([named.has("chown"), named.has("kill")]).toEqual([true, false]);
});

test("the empty set", () => {
	const empty = CapabilitySet.from([]);
	expect([empty.bits, `${empty}`, [...empty]]).toEqual([0n, "", []]);
	expect(empty.equals(CapabilitySet.from(0n))).toBe(true);
});

test("the capabilities of a kernel that is newer than this library are kept, without a name", () => {
	const future = CapabilitySet.from((1n << 63n) | 1n);
	expect([future.bits, `${future}`, [...future]]).toEqual([(1n << 63n) | 1n, "chown,63", ["chown"]]);
	expect(future.equals(CapabilitySet.from(["chown"]))).toBe(false);
});

test("this kernel has no capability below its last one that has no name here", () => {
	const all = CapabilitySet.from((1n << BigInt(Math.min(last, 40) + 1)) - 1n);
	expect(`${all}`.split(",")).toEqual([...all]);
});

test("a set does not change", () => {
	const set = CapabilitySet.from(["kill"]);
	expect(() => {
		(set as { bits: bigint }).bits = 0n;
	}).toThrow(TypeError);
	expect(set.has("kill")).toBe(true);
});

test("sets are united, intersected and subtracted with every source of a set", () => {
	const set = CapabilitySet.from(["kill", "netRaw", 63]);
	for (const other of [["kill", 41], CapabilitySet.from(["kill", 41]), new Set([5, 41]), (1n << 41n) | 32n] as Caps[]) {
		expect(`${set.union(other)}`).toBe("kill,netRaw,41,63");
		expect(`${set.intersection(other)}`).toBe("kill");
		expect(`${set.difference(other)}`).toBe("netRaw,63");
		expect([set.equals(other), set.intersection(other).equals([5])]).toEqual([false, true]);
	}
	expect(`${set}`).toBe("kill,netRaw,63");
	const full = CapabilitySet.from(2n ** 64n - 1n);
	expect(full.difference(0n).bits).toBe(full.bits);
	expect(CapabilitySet.from(0n).difference(full).bits).toBe(0n);
});

test.each(["equals", "union", "intersection", "difference"] as const)("%s refuses what is no source", (method) => {
	const set = CapabilitySet.from(["kill"]);
	for (const [other, code] of wrongSources) {
		expect(() => set[method](other as Caps)).toThrow(expect.objectContaining({ code }));
	}
	expect(() => set[method](undefined as unknown as Caps)).toThrow(TypeError);
});

test("SinusBot/docker #40, CAP-15: all is what this kernel has, and not what the library knows", async () => {
	const all = CapabilitySet.all();
	expect(all.bits).toBe(2n ** BigInt(last + 1) - 1n);
	await using task = await Task.clone({ namespaces: ["user"], idMap: "root" });
	expect(task.run(() => CapabilitySet.all()).equals(all)).toBe(true);
	// The kernel gives a new user namespace everything, and refuses to give what it does not have.
	expect(sets(task.pid)).toMatchObject({ Prm: all.bits, Bnd: all.bits });
	task.run(() => dropCapabilities(all));
	expect(sets(task.pid)).toMatchObject({ Prm: all.bits, Bnd: all.bits });
	await task.batch(() => dropCapabilities(CapabilitySet.all().difference(["sysAdmin"])));
	expect(sets(task.pid).Prm).toBe(all.bits & ~(1n << 21n));
});

test("lucab/caps-rs #28: one capability leaves permitted only together with effective", async () => {
	await using task = await Task.clone({ namespaces: ["user"], idMap: "root" });
	const { effective, permitted, inheritable } = task.run(capget);
	const rest = permitted.difference(["netRaw"]);
	expect(() => capset(task, effective.bits, rest.bits, inheritable.bits)).toThrow(refused("EPERM", "syscall"));
	expect(sets(task.pid)).toMatchObject({ Eff: effective.bits, Prm: permitted.bits });
	capset(task, effective.intersection(rest).bits, rest.bits, inheritable.bits);
	expect(sets(task.pid)).toMatchObject({ Eff: rest.bits, Prm: rest.bits });
	expect(task.run(capget).permitted.has("netRaw")).toBe(false);
});

test.each([
	["", 0n],
	["cap_kill", 1n << 5n],
	["cap_net_admin,CAP_NET_RAW,41", (1n << 12n) | (1n << 13n) | (1n << 41n)],
	["0x10,020,16,cap_sys_pacct,0", (1n << 16n) | (1n << 20n) | 1n],
	["63", 1n << 63n],
	["all", CapabilitySet.all().bits],
	["All,63", CapabilitySet.all().bits | (1n << 63n)],
])("a set is read from the text %j", (text, bits) => {
	expect(CapabilitySet.parse(text).bits).toBe(bits);
});

test.each([
	" ",
	"cap_kill ",
	" cap_kill",
	"cap_kill cap_chown",
	"cap_kill,",
	",",
	",cap_kill",
	"kill",
	"netAdmin",
	"cap_kill=p",
	"=",
	"64",
	"-1",
	"+1",
	"0b11",
	"1n",
	"alle",
	"toString",
	"cap_\u212aill",
	"cap_kill\0",
])("no set is read from the text %j", (text) => {
	expect(() => CapabilitySet.parse(text)).toThrow(
		expect.objectContaining({ name: "TypeError", code: "ERR_INVALID_ARG_VALUE" }),
	);
});

test("toText writes what parse reads", () => {
	const all = CapabilitySet.all();
	expect([CapabilitySet.from([]).toText(), all.toText()]).toEqual(["", "all"]);
	expect(CapabilitySet.from([41, "netRaw", "netAdmin", 63]).toText()).toBe("cap_net_admin,cap_net_raw,41,63");
	expect(all.difference(["chown"]).toText()).toMatch(/^cap_dac_override,.*,cap_checkpoint_restore/);
	expect(all.union([63]).toText()).toMatch(/^cap_chown,.*,63$/);
	for (const bits of randomSets(2, 2000).flat()) {
		const set = CapabilitySet.from(bits);
		expect(CapabilitySet.parse(set.toText()).bits).toBe(bits);
	}
	for (let number = 0; number < 64; number++) {
		const set = CapabilitySet.from([number]);
		expect(CapabilitySet.parse(set.toText().toUpperCase()).equals(set)).toBe(true);
	}
});

test.each([
	["a name that is none", ["cap_kill"], "ERR_INVALID_ARG_VALUE"],
	["a number", 5, "ERR_INVALID_ARG_TYPE"],
	["a string", "kill", "ERR_INVALID_ARG_TYPE"],
	["null", null, "ERR_INVALID_ARG_TYPE"],
	["a number below 0", -1n, "ERR_OUT_OF_RANGE"],
	["more than 64 bits", 1n << 64n, "ERR_OUT_OF_RANGE"],
])("%s makes no set", (_, source, code) => {
	expect(() => CapabilitySet.from(source as bigint)).toThrow(expect.objectContaining({ code }));
});

test("a number among the names is that of a capability, with or without a name", () => {
	const set = CapabilitySet.from(["chown", 5, 63, 0]);
	expect([set.bits, `${set}`]).toEqual([(1n << 63n) | (1n << 5n) | 1n, "chown,kill,63"]);
	expect([0, 5, 63, 1, 62].map((number) => set.has(number))).toEqual([true, true, true, false, false]);
});

test.each([-1, 64, 0.5, -0, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 32])(
	"the number %s is that of no capability",
	(number) => {
		const refusal = expect.objectContaining({ name: "RangeError", code: "ERR_OUT_OF_RANGE" });
		expect(() => CapabilitySet.from([number])).toThrow(refusal);
		expect(() => CapabilitySet.from([]).has(number)).toThrow(refusal);
	},
);

test("a value that only looks like a name or like a set is refused", () => {
	const names = ["kill", "sysAdmin"];
	const twoNames = { toString: () => names.shift() } as Capability;
	const value = expect.objectContaining({ name: "TypeError", code: "ERR_INVALID_ARG_VALUE" });
	for (const name of [twoNames, new String("kill"), Symbol.iterator, null, undefined, 5n, ["kill"]]) {
		expect(() => CapabilitySet.from([name as Capability])).toThrow(value);
		expect(() => CapabilitySet.from([]).has(name as Capability)).toThrow(value);
	}
	expect(names).toEqual(["kill", "sysAdmin"]);
	const type = expect.objectContaining({ name: "TypeError", code: "ERR_INVALID_ARG_TYPE" });
	const proxy = new Proxy(CapabilitySet.from([41]), {});
	const heir = Object.create(CapabilitySet.prototype, { bits: { value: -1n } }) as CapabilitySet;
	for (const set of [proxy, heir]) expect(() => CapabilitySet.from(set)).toThrow(type);
});

test("has refuses a name that is none, inherited ones too", () => {
	const refusal = expect.objectContaining({ code: "ERR_INVALID_ARG_VALUE" });
	for (const name of ["", "toString", "CAP_KILL"]) {
		expect(() => CapabilitySet.from(0n).has(name as Capability)).toThrow(refusal);
	}
});

test("where a filter accepts every number, all has 64 capabilities", async () => {
	await using task = await powerful();
	forbid(task, process.arch === "arm64" ? 167 : 157, 0, PR_CAPBSET_READ);
	await task.exec(process.execPath, [process.execPath, fixturePath("caps/all-of-64")]).check();
});
