import { Task } from "@nearfar/core";
import { expect, test } from "vitest";
import { refusal } from "../../../test/refusal.ts";
import { parseText } from "../src/capability-text.ts";
import { type Capabilities, CapabilitySet, capget, formatCapabilities, parseCapabilities } from "../src/index.ts";
import { bits, randomSets, show } from "./libcap.ts";

const value = expect.objectContaining({ name: "TypeError", code: "ERR_INVALID_ARG_VALUE" });
const type = expect.objectContaining({ name: "TypeError", code: "ERR_INVALID_ARG_TYPE" });
const all = CapabilitySet.all();
const [KILL, NET_RAW] = [1n << 5n, 1n << 13n];

test.each([
	["", 0n, 0n, 0n],
	[" \t\n\v\f\r", 0n, 0n, 0n],
	["cap_net_raw=ep cap_kill+i", NET_RAW, NET_RAW, KILL],
	["CAP_Net_Raw,5=p", 0n, NET_RAW | KILL, 0n],
	["0x5,015=p", 0n, NET_RAW | KILL, 0n],
	["cap_kill=eip cap_kill-e+e-i", KILL, KILL, 0n],
	["cap_kill=eip cap_kill=+p", 0n, KILL, 0n],
	["cap_kill=eip cap_kill=-p", 0n, 0n, 0n],
	["cap_kill=eip cap_kill=", 0n, 0n, 0n],
	["=ep cap_kill-e", all.bits & ~KILL, all.bits, 0n],
	["ALL+i", 0n, 0n, all.bits],
	["63=p", 0n, 1n << 63n, 0n],
	["63=p =", 0n, 1n << 63n, 0n],
	["63,all=p", 0n, all.bits, 0n],
])("parseCapabilities reads %j", (text, effective, permitted, inheritable) => {
	const sets = parseCapabilities(text);
	expect(bits(sets)).toEqual([effective, permitted, inheritable]);
	for (const set of Object.values(sets)) expect(set).toBeInstanceOf(CapabilitySet);
});

test.each([
	"cap_kill",
	"cap_kill=ep,cap_chown=p",
	"cap_kill+",
	"cap_kill-",
	"cap_kill=+",
	"cap_kill+e+",
	"cap_kill+p=e",
	"cap_kill==e",
	"cap_kill=E",
	"cap_kill=x",
	"cap_kill,=p",
	",cap_kill=p",
	"cap_kill,,cap_chown=p",
	"cap_kill, cap_chown=p",
	"cap_kill =p",
	"+p",
	"-p",
	"=+p",
	"=-p",
	"=p+e",
	"kill=p",
	"net_raw=p",
	"netRaw=p",
	"capkill=p",
	"cap_=p",
	"cap_kill1=p",
	"all1=p",
	"64=p",
	"08=p",
	"0x=p",
	"1e1=p",
	"5.0=p",
	"99999999999999999999999=p",
	"cap_\u212aill=p", // the sign for kelvin, which is `k` in lower case
	"cap_kill=p\u00a0",
	"cap_kill\u2003=p",
	"cap_kill=p\0",
	"\0",
])("parseCapabilities refuses %j", (text) => {
	expect(() => parseCapabilities(text)).toThrow(value);
	expect(() => parseCapabilities(`cap_chown=p ${text}`)).toThrow(value);
});

test("the error of parseCapabilities shows the clause", () => {
	expect(() => parseCapabilities("cap_chown=ep cap_kil=ep cap_fowner=ep")).toThrow(/'cap_kil=ep'/);
});

test.each([
	["nothing", undefined],
	["null", null],
	["a number", 5],
	["a String object", new String("=p")],
	["bytes", Buffer.from("=p")],
	["an object with toString", { toString: () => "=p" }],
])("parseCapabilities refuses %s", (_, text) => {
	expect(() => parseCapabilities(text as string)).toThrow(type);
	expect(() => CapabilitySet.parse(text as string)).toThrow(type);
});

test("a text of a megabyte is read, or refused with a short message", () => {
	const valid = ["cap_kill+e ".repeat(1e5), `cap_kill${"+e".repeat(5e5)}`, `${"cap_kill,".repeat(1e5)}5+e`];
	for (const text of valid) expect(bits(parseCapabilities(text))).toEqual([KILL, 0n, 0n]);
	const wrong = ["x", "=", "+", "e", ",", "9", "cap_", "cap_kill", "=p+", "\0"].map((piece) => piece.repeat(1e6));
	for (const text of [...wrong, ...valid.map((text) => `${text}!`)]) {
		for (const parse of [parseCapabilities, CapabilitySet.parse]) {
			const { code, message } = refusal(() => parse(text));
			expect([code, message.length < 500]).toEqual(["ERR_INVALID_ARG_VALUE", true]);
		}
	}
	expect(bits(parseCapabilities(" ".repeat(1e6)))).toEqual([0n, 0n, 0n]);
});

test.each([
	["=", 0n, 0n, 0n],
	["cap_net_raw=ep", NET_RAW, NET_RAW, 0n],
	["cap_kill=p cap_net_raw+e", NET_RAW, KILL, 0n],
	["=ep", all.bits, all.bits, 0n],
	["=ep cap_kill-e", all.bits & ~KILL, all.bits, 0n],
	["=ep cap_kill+i-e", all.bits & ~KILL, all.bits, KILL],
	["=eip", all.bits, all.bits, all.bits],
	["= 63+p", 0n, 1n << 63n, 0n],
	["cap_kill=ep 63+i", KILL, KILL, 1n << 63n],
])("formatCapabilities writes %j", (text, effective, permitted, inheritable) => {
	const sets = setsOf([effective, permitted, inheritable]);
	expect(formatCapabilities(sets)).toBe(text);
	expect(bits(parseCapabilities(text))).toEqual(bits(sets));
});

test("what capget reads of a task can be written and read again", async () => {
	await using task = await Task.clone({ namespaces: ["user"], idMap: "root" });
	const sets = task.run(capget);
	expect(formatCapabilities(sets)).toBe("=ep");
	expect(task.run(() => formatCapabilities(parseCapabilities("=ep")))).toBe("=ep");
	expect(bits(parseCapabilities("=ep"))).toEqual(bits(sets));
});

test("every set can be written and read again, and what is read is written in one way", () => {
	for (const sets of randomSets(1, 2000)) {
		const text = formatCapabilities(setsOf(sets));
		expect(bits(parseCapabilities(text)), show(sets)).toEqual(sets);
		expect(formatCapabilities(parseCapabilities(text))).toBe(text);
	}
});

test("CAP-15 all is what the kernel has: a text means fewer capabilities where the kernel has fewer", () => {
	for (const last of [0, 31, 36, 40, 62, 63]) {
		const bitsOfKernel = 2n ** BigInt(last + 1) - 1n;
		expect(bits(parseText("=p all+i", last))).toEqual([0n, bitsOfKernel, bitsOfKernel]);
	}
});

test("formatCapabilities takes all sources of a set", () => {
	const sets = { effective: ["netRaw"], permitted: ["netRaw", 5], inheritable: NET_RAW };
	expect(formatCapabilities(sets as unknown as Capabilities)).toBe("cap_net_raw=eip cap_kill+p");
});

test.each([
	["nothing", undefined],
	["null", null],
	["a text", "=ep"],
	["a function", capget],
	["an empty object", {}],
	["an array", [0n, 0n, 0n]],
	["a missing set", { effective: 0n, permitted: 0n }],
	["a set that is null", { effective: 0n, permitted: 0n, inheritable: null }],
	["a set that is a text", { effective: "cap_kill", permitted: 0n, inheritable: 0n }],
])("formatCapabilities refuses %s", (_, sets) => {
	expect(() => formatCapabilities(sets as unknown as Capabilities)).toThrow(type);
});

test("formatCapabilities reads each set once", () => {
	const read: string[] = [];
	const target = { ...setsOf([KILL, KILL, 0n]), other: 1 };
	const sets = new Proxy(target, {
		get(_, name) {
			read.push(String(name));
			return Reflect.get(target, name);
		},
	});
	expect(formatCapabilities(sets)).toBe("cap_kill=ep");
	expect(read.toSorted()).toEqual(["effective", "inheritable", "permitted"]);
});

test("an error of a getter comes through", () => {
	const thrown = new Error("the getter's own");
	const sets = {
		get effective(): CapabilitySet {
			throw thrown;
		},
		permitted: all,
		inheritable: all,
	};
	expect(() => formatCapabilities(sets)).toThrow(thrown);
});

function setsOf([effective, permitted, inheritable]: readonly [bigint, bigint, bigint]): Capabilities {
	return {
		effective: CapabilitySet.from(effective),
		permitted: CapabilitySet.from(permitted),
		inheritable: CapabilitySet.from(inheritable),
	};
}
