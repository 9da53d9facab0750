import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { type Capability, CapabilitySet } from "../src/index.ts";

const last = Number(readFileSync("/proc/sys/kernel/cap_last_cap", "utf8"));

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
