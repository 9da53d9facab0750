import { expect, test } from "vitest";
import { refusal } from "../../../test/refusal.ts";
import { calls } from "../src/calls.generated.ts";
import { compileFilter, type SeccompAction, type SeccompCondition, type SeccompRules } from "../src/index.ts";
import { AUDIT_ARCH, interpret } from "./interpret.ts";

const [ALLOW, KILL, EPERM, ENOSYS] = [0x7fff_0000, 0x8000_0000, 0x0005_0001, 0x0005_0026];
const low = 0xffff_ffff;

/** Returns what a filter does with a call of an architecture. */
function answer(
	rules: SeccompRules,
	call: keyof typeof calls | number,
	args: bigint[] = [],
	arch: "x64" | "arm64" = "x64",
) {
	const number = typeof call === "number" ? call : calls[call][arch === "x64" ? 0 : 1];
	return interpret(compileFilter(rules, { arch }), { arch: AUDIT_ARCH[arch], number, args });
}

/** The rules of a sandbox that lets most programs run. */
const sandbox: SeccompRules = {
	default: "allow",
	rules: [
		{ calls: ["clone3", "io_uring_setup", "io_uring_enter", "io_uring_register"], action: { errno: "ENOSYS" } },
		{
			calls: ["clone", "unshare"],
			args: [{ index: 0, op: "!=", value: 0, mask: 0x7e02_0000 }],
			action: { errno: "EPERM" },
		},
		{ calls: ["setns", "mount", "keyctl", "add_key", "bpf"], action: { errno: "EPERM" } },
		...[1, 2, 10, 16].map((family) => ({
			calls: ["socket", "socketpair"] as const,
			args: [{ index: 0, op: "==", value: family, mask: low }] as const,
			action: "allow" as const,
		})),
		{ calls: ["socket", "socketpair"], action: { errno: "EPERM" } },
		...[0x5412, 0x541c].map((request) => ({
			calls: ["ioctl"] as const,
			args: [{ index: 1, op: "==", value: request, mask: low }] as const,
			action: { errno: "EPERM" },
		})),
	],
	unknown: { errno: "ENOSYS" },
};

const [CLONE_NEWUSER, CLONE_VM, high] = [0x1000_0000n, 0x100n, 0xdead_beef_0000_0000n];

test.each(["x64", "arm64"] as const)(
	"SB-10 CVE-2019-10063 the filter of a sandbox decides each of these calls, on %s",
	(arch) => {
		const cases: [call: keyof typeof calls | number, args: bigint[], expected: number][] = [
			["read", [], ALLOW],
			["clone3", [], ENOSYS],
			["io_uring_setup", [1n], ENOSYS],
			["clone", [CLONE_VM], ALLOW],
			["clone", [CLONE_VM | CLONE_NEWUSER], EPERM],
			["unshare", [CLONE_NEWUSER | high], EPERM],
			["unshare", [0n], ALLOW],
			["keyctl", [], EPERM],
			["socket", [1n], ALLOW],
			["socket", [16n | high], ALLOW],
			["socket", [40n], EPERM], // AF_VSOCK
			["socketpair", [38n], EPERM],
			["ioctl", [0n, 0x5401n], ALLOW],
			["ioctl", [0n, 0x5412n], EPERM],
			["ioctl", [0n, 0x5412n | high], EPERM],
			["ioctl", [0n, 0x541cn | high], EPERM],
			[472, [], ENOSYS],
			[500, [], ENOSYS],
			[0x4000_0000, [], ENOSYS], // read of x32
			[0x4000_0000 + 512, [], ENOSYS],
			[0xffff_ffff, [], ENOSYS],
		];
		for (const [call, args, expected] of cases)
			expect([call, args, answer(sandbox, call, args, arch)]).toEqual([call, args, expected]);
	},
);

test("a call of another architecture kills the process, whatever the rules say", () => {
	for (const arch of ["x64", "arm64"] as const) {
		const program = compileFilter({ default: "allow", unknown: "allow" }, { arch });
		for (const other of Object.values(AUDIT_ARCH)) {
			const expected = other === AUDIT_ARCH[arch] ? ALLOW : KILL;
			expect(interpret(program, { arch: other, number: 3 })).toBe(expected);
		}
	}
});

test("a call that one architecture does not have is left out there", () => {
	const rules: SeccompRules = { default: "kill", rules: [{ calls: ["open", "openat"], action: "allow" }] };
	expect(answer(rules, "open")).toBe(ALLOW);
	expect(answer(rules, "openat", [], "arm64")).toBe(ALLOW);
	const arm64 = Object.values(calls).map(([, number]) => number);
	const allowed = arm64.filter((number) => number >= 0 && answer(rules, number, [], "arm64") === ALLOW);
	expect(allowed).toEqual([calls.openat[1]]);
	expect(answer({ default: "allow", rules: [{ calls: ["open"], action: "kill" }] }, 2, [], "arm64")).toBe(ALLOW);
});

const actions: [SeccompAction, number][] = [
	["allow", ALLOW],
	["log", 0x7ffc_0000],
	["kill", KILL],
	["killThread", 0],
	["trap", 0x0003_0000],
	[{ errno: "ENOSYS" }, ENOSYS],
	[{ errno: "EAFNOSUPPORT" }, 0x0005_0061],
	[{ errno: 0 }, 0x0005_0000],
	[{ errno: 4095 }, 0x0005_0fff],
	[{ trace: 0 }, 0x7ff0_0000],
	[{ trace: 0xffff }, 0x7ff0_ffff],
];

test.each(actions)("the action %j in each place", (action, expected) => {
	expect(answer({ default: action }, "read")).toBe(expected);
	expect(answer({ default: "allow", unknown: action }, 500)).toBe(expected);
	expect(answer({ default: "allow", rules: [{ calls: ["read"], action }] }, "read")).toBe(expected);
});

test("without unknown a number without a name is ENOSYS", () => {
	expect(answer({ default: "allow" }, 500)).toBe(ENOSYS);
	expect(answer({ default: "kill", unknown: undefined } as never, 500)).toBe(ENOSYS);
	expect(answer({ default: "kill", unknown: "allow" }, 500)).toBe(ALLOW);
});

const all = 2n ** 64n - 1n;
const comparisons: [SeccompCondition, matching: bigint[], others: bigint[]][] = [
	[{ index: 2, op: "==", value: -1 }, [all], [0n, all - 1n, BigInt(low)]],
	[{ index: 2, op: "==", value: -1n }, [all], [0n, 1n]],
	[{ index: 2, op: "==", value: 2n ** 63n }, [2n ** 63n], [0n, all]],
	[{ index: 2, op: "==", value: -(2n ** 63n) }, [2n ** 63n], [0n, all]],
	[{ index: 2, op: "!=", value: 1 }, [0n, 2n ** 32n + 1n, all], [1n]],
	[{ index: 2, op: "<", value: 2 ** 32 }, [0n, BigInt(low)], [2n ** 32n, all, 2n ** 33n]],
	[{ index: 2, op: "<=", value: 2 ** 32 }, [0n, 2n ** 32n], [2n ** 32n + 1n, all]],
	[{ index: 2, op: ">", value: 2 ** 32 }, [2n ** 32n + 1n, all, 2n ** 33n], [0n, 2n ** 32n, BigInt(low)]],
	[{ index: 2, op: ">=", value: 2 ** 32 }, [2n ** 32n, all], [0n, BigInt(low)]],
	[{ index: 2, op: "<", value: -1 }, [0n, all - 1n], [all]], // unsigned
	[{ index: 2, op: "==", value: 5, mask: low }, [5n, 5n | high], [6n, 6n | high]],
	[{ index: 2, op: "==", value: high, mask: all ^ BigInt(low) }, [high, high | 5n], [0n, 5n, 2n ** 32n]],
	[{ index: 2, op: "!=", value: 0, mask: 0x8000_0000 }, [0x8000_0000n, all], [0x7fff_ffffn, 2n ** 32n]],
	[{ index: 2, op: "==", value: 0, mask: 0 }, [0n, all], []],
	[{ index: 2, op: ">", value: 0, mask: 2n ** 63n }, [2n ** 63n, all], [0n, 2n ** 63n - 1n]],
];

test.each(comparisons)("the condition %o", (condition, matching, others) => {
	const rules: SeccompRules = { default: "allow", rules: [{ calls: ["read"], args: [condition], action: "kill" }] };
	for (const value of matching) expect([value, answer(rules, "read", [0n, 0n, value])]).toEqual([value, KILL]);
	for (const value of others) expect([value, answer(rules, "read", [value, all, value])]).toEqual([value, ALLOW]);
});

test("the first rule that matches decides, also of the same call in one list twice", () => {
	const one: SeccompCondition = { index: 0, op: "==", value: 1 };
	const rules: SeccompRules = {
		default: "log",
		rules: [
			{ calls: ["read", "write", "read"], args: [one], action: { errno: 1 } },
			{ calls: ["read"], args: [{ index: 0, op: "<", value: 3 }], action: { errno: 2 } },
			{ calls: ["read"], action: "allow" },
			{ calls: ["read", "write"], action: "kill" },
		],
	};
	expect([1n, 2n, 3n].map((first) => answer(rules, "read", [first]))).toEqual([EPERM, 0x0005_0002, ALLOW]);
	expect([1n, 2n].map((first) => answer(rules, "write", [first]))).toEqual([EPERM, KILL]);
});

test("all conditions of a rule have to hold", () => {
	const args: SeccompCondition[] = [0, 1, 1, 5].map((index) => ({ index, op: ">", value: index }));
	const rules: SeccompRules = { default: "allow", rules: [{ calls: ["read"], args, action: "kill" }] };
	expect(answer(rules, "read", [1n, 2n, 0n, 0n, 0n, 6n])).toBe(KILL);
	expect(answer(rules, "read", [0n, 2n, 0n, 0n, 0n, 6n])).toBe(ALLOW);
	expect(answer(rules, "read", [1n, 1n, 0n, 0n, 0n, 6n])).toBe(ALLOW);
	expect(answer(rules, "read", [1n, 2n, 0n, 0n, 0n, 5n])).toBe(ALLOW);
});

/** Returns rules whose filter has as many instructions as they are, and some more. */
function longRules(count: number): SeccompRules {
	const rule = (_: unknown, value: number) =>
		({ calls: ["read"], args: [{ index: 0, op: "==", value, mask: low }], action: "allow" }) as const;
	return { default: "kill", rules: Array.from({ length: count }, rule) };
}

test("a filter has at most 4096 instructions", () => {
	const length = (count: number) => compileFilter(longRules(count)).length / 8;
	const most = Array.from({ length: 200 }, (_, index) => 1900 + index)
		.filter((count) => refusal(() => length(count)).code === undefined)
		.at(-1);
	if (most === undefined) throw new Error("no filter of this length");
	expect(length(most)).toBeGreaterThan(4090);
	expect(length(most)).toBeLessThanOrEqual(4096);
	for (const more of [1, 1000, 50_000]) {
		expect(refusal(() => compileFilter(longRules(most + more)))).toMatchObject({
			name: "RangeError",
			code: "ERR_OUT_OF_RANGE",
		});
	}
	for (const value of [0n, BigInt(most - 1), high]) expect(answer(longRules(most), "read", [value])).toBe(ALLOW);
	for (const value of [BigInt(most), BigInt(low)]) expect(answer(longRules(most), "read", [value])).toBe(KILL);
});

test("a filter that is compiled already is copied", () => {
	const filter = compileFilter({ default: "allow" });
	const copy = compileFilter(filter);
	expect(copy).toEqual(filter);
	filter.fill(0);
	expect(copy).not.toEqual(filter);
	expect(Object.getPrototypeOf(copy)).toBe(Uint8Array.prototype);
	const inside = new Uint8Array(24).subarray(8, 16);
	expect(compileFilter(inside).buffer.byteLength).toBe(8);
	for (const length of [0, 1, 7, 9, 8 * 4097]) {
		expect(refusal(() => compileFilter(new Uint8Array(length))).code).toBe("ERR_OUT_OF_RANGE");
	}
	expect(compileFilter(new Uint8Array(8 * 4096))).toHaveLength(8 * 4096);
});

test("each part of the rules is read once", () => {
	const reads = new Map<string, number>();
	const counted = <T extends object>(target: T, path = ""): T =>
		new Proxy(target, {
			get(object, key, receiver) {
				const value: unknown = Reflect.get(object, key, receiver);
				if (typeof key === "string" && !Array.isArray(object)) reads.set(path + key, (reads.get(path + key) ?? 0) + 1);
				return value !== null && typeof value === "object" ? counted(value, `${path}${String(key)}.`) : value;
			},
		});
	compileFilter(
		counted<SeccompRules>({
			default: { errno: 1 },
			unknown: { trace: 1 },
			rules: [{ calls: ["read"], action: "kill", args: [{ index: 0, op: "==", value: 1, mask: 1 }] }],
		}),
	);
	expect(Object.fromEntries(reads)).toEqual(Object.fromEntries([...reads.keys()].map((path) => [path, 1])));
	expect(reads.size).toBe(14);
});

const rule = { calls: ["read"], action: "kill" };
const condition = { index: 0, op: "==", value: 1 };
const withRule = (change: object) => ({ default: "allow", rules: [{ ...rule, ...change }] });
const withCondition = (change: object) => withRule({ args: [{ ...condition, ...change }] });
const [TYPE, VALUE, RANGE] = ["ERR_INVALID_ARG_TYPE", "ERR_INVALID_ARG_VALUE", "ERR_OUT_OF_RANGE"];

test.each<[code: string, part: string, rules: unknown]>([
	[TYPE, '"rules"', undefined],
	[TYPE, '"rules"', null],
	[TYPE, '"rules"', "allow"],
	[TYPE, '"rules"', []],
	[TYPE, '"rules.default"', {}],
	[TYPE, '"rules.default"', { default: null }],
	[VALUE, '"rules.default"', { default: "deny" }],
	[VALUE, '"rules.default"', { default: "toString" }],
	[VALUE, '"rules.default"', { default: {} }],
	[VALUE, '"rules.default"', { default: { errno: 1, trace: 1 } }],
	[VALUE, "rules.default.errnum", { default: { errnum: 1 } }],
	[VALUE, '"rules.default.errno"', { default: { errno: "ENOSY" } }],
	[VALUE, '"rules.default.errno"', { default: { errno: "constructor" } }],
	[RANGE, '"rules.default.errno"', { default: { errno: 4096 } }],
	[RANGE, '"rules.default.errno"', { default: { errno: -1 } }],
	[RANGE, '"rules.default.errno"', { default: { errno: 1.5 } }],
	[TYPE, '"rules.default.errno"', { default: { errno: 1n } }],
	[RANGE, '"rules.default.trace"', { default: { trace: 0x1_0000 } }],
	[RANGE, '"rules.default.trace"', { default: { trace: Number.NaN } }],
	[VALUE, '"rules.unknown"', { default: "allow", unknown: "ENOSYS" }],
	[VALUE, "rules.unkown", { default: "allow", unkown: "allow" }],
	[TYPE, '"rules.rules"', { default: "allow", rules: {} }],
	[TYPE, '"rules.rules[0]"', { default: "allow", rules: [undefined] }],
	[TYPE, '"rules.rules[0]"', { default: "allow", rules: new Array(1) }],
	[TYPE, '"rules.rules[0]"', { default: "allow", rules: ["read"] }],
	[VALUE, "rules.rules[0].arg", withRule({ arg: [] })],
	[TYPE, '"rules.rules[0].calls"', withRule({ calls: "read" })],
	[TYPE, '"rules.rules[0].calls"', withRule({ calls: undefined })],
	[TYPE, '"rules.rules[0].calls[1]"', withRule({ calls: ["read", 0] })],
	[TYPE, '"rules.rules[0].calls[0]"', withRule({ calls: [["read"]] })],
	[VALUE, '"rules.rules[0].calls[0]"', withRule({ calls: ["raed"] })],
	[VALUE, '"rules.rules[0].calls[0]"', withRule({ calls: ["hasOwnProperty"] })],
	[VALUE, '"rules.rules[0].calls[0]"', withRule({ calls: [""] })],
	[TYPE, '"rules.rules[0].action"', withRule({ action: undefined })],
	[TYPE, '"rules.rules[0].args"', withRule({ args: condition })],
	[TYPE, '"rules.rules[0].args[0]"', withRule({ args: [null] })],
	[RANGE, '"rules.rules[0].args[0].index"', withCondition({ index: 6 })],
	[RANGE, '"rules.rules[0].args[0].index"', withCondition({ index: -1 })],
	[TYPE, '"rules.rules[0].args[0].index"', withCondition({ index: "0" })],
	[VALUE, '"rules.rules[0].args[0].op"', withCondition({ op: "=" })],
	[VALUE, '"rules.rules[0].args[0].op"', withCondition({ op: undefined })],
	[TYPE, '"rules.rules[0].args[0].value"', withCondition({ value: undefined })],
	[TYPE, '"rules.rules[0].args[0].value"', withCondition({ value: "1" })],
	[RANGE, '"rules.rules[0].args[0].value"', withCondition({ value: 1.5 })],
	[RANGE, '"rules.rules[0].args[0].value"', withCondition({ value: Number.NaN })],
	[RANGE, '"rules.rules[0].args[0].value"', withCondition({ value: 2 ** 63 })],
	[RANGE, '"rules.rules[0].args[0].value"', withCondition({ value: 2n ** 64n })],
	[RANGE, '"rules.rules[0].args[0].value"', withCondition({ value: -(2n ** 63n) - 1n })],
	[RANGE, '"rules.rules[0].args[0].value"', withCondition({ value: 2, mask: 1 })],
	[RANGE, '"rules.rules[0].args[0].value"', withCondition({ value: -1, mask: low })],
	[TYPE, '"rules.rules[0].args[0].mask"', withCondition({ mask: null })],
	[RANGE, '"rules.rules[0].args[0].mask"', withCondition({ mask: 0.5 })],
	[VALUE, "rules.rules[0].args[0].datum_b", withCondition({ datum_b: 1 })],
])("%s for %s", (code, part, rules) => {
	const error = refusal(() => compileFilter(rules as SeccompRules));
	expect(error.code).toBe(code);
	expect(error.message).toContain(part);
});

test("the nearest name is in the message", () => {
	const message = (rules: unknown) => refusal(() => compileFilter(rules as SeccompRules)).message;
	expect(message(withRule({ calls: ["keyctrl"] }))).toContain("did you mean keyctl?");
	expect(message({ default: { errno: "EAFNOSUPORT" } })).toContain("did you mean EAFNOSUPPORT?");
});

test("options are checked, and name what messages are about", () => {
	const compile = (options: unknown) => refusal(() => compileFilter({ default: "allo" } as never, options as never));
	expect(compile({ arch: "ia32" }).code).toBe(VALUE);
	expect(compile({ name: 1 }).code).toBe(TYPE);
	expect(compile({ ach: "x64" }).code).toBe(VALUE);
	expect(compile({ name: "options.seccomp" }).message).toContain('"options.seccomp.default"');
});
