import {
	array,
	options as checkOptions,
	integer,
	nearest,
	outOfRange,
	seccompActions,
	toChoice,
	word,
	wrongType,
	wrongValue,
} from "@nearfar/core/internal";
import { calls } from "./calls.generated.ts";
import type { SeccompAction, SeccompCondition, SeccompRule, SeccompRules } from "./rules.ts";

/** The architectures, with the numbers by which a filter knows them: AUDIT_ARCH_X86_64, AUDIT_ARCH_AARCH64. */
export const architectures = { x64: 0xc000_003e, arm64: 0xc000_00b7 } as const;

type Architecture = keyof typeof architectures;
type Numbers = readonly [x64: number, arm64: number];

const SECCOMP_RET_ERRNO = 0x0005_0000;
const SECCOMP_RET_TRACE = 0x7ff0_0000;
const MAX_ERRNO = 4095;

/** The comparisons, with the numbers that the addon knows them by. */
const comparisons = { "==": 0, "!=": 1, "<": 2, "<=": 3, ">": 4, ">=": 5 } as const;

const ALL = 2n ** 64n - 1n;

/**
 * Checks rules, and returns them as the addon takes them: words of 64 bits. `from_words` in crates/linux/src/filter says what they are.
 *
 * @param name - What messages call the rules.
 */
export function toWords(given: SeccompRules, arch: Architecture, name: string): BigUint64Array {
	const {
		default: otherwise,
		rules = [],
		unknown = { errno: "ENOSYS" },
	} = checkOptions(given, ["default", "rules", "unknown"], name);
	const known = Object.values(calls).flatMap((numbers) => existing(numbers, arch));
	const words: (number | bigint)[] = [
		architectures[arch],
		toAction(otherwise, `${name}.default`),
		toAction(unknown, `${name}.unknown`),
		known.length,
		...known,
	];
	for (const [index, rule] of array(rules, `${name}.rules`).entries()) {
		for (const word of ruleWords(rule, arch, `${name}.rules[${index}]`)) words.push(word);
	}
	return BigUint64Array.from(words, BigInt);
}

function ruleWords(given: SeccompRule, arch: Architecture, name: string): (number | bigint)[] {
	if (given === undefined) throw wrongType(name, "an object", given);
	const { calls: names, action, args = [] } = checkOptions(given, ["calls", "action", "args"], name);
	const numbers = array(names, `${name}.calls`).flatMap((call, index) =>
		existing(numbersOf(call, `${name}.calls[${index}]`), arch),
	);
	const conditions = array(args, `${name}.args`).map((arg, index) => conditionWords(arg, `${name}.args[${index}]`));
	return [toAction(action, `${name}.action`), numbers.length, ...numbers, conditions.length, ...conditions.flat()];
}

function conditionWords(given: SeccompCondition, name: string): (number | bigint)[] {
	if (given === undefined) throw wrongType(name, "an object", given);
	const { index, op, value, mask = ALL } = checkOptions(given, ["index", "op", "value", "mask"], name);
	const argument = integer(index, `${name}.index`, 0, 5);
	const comparison = toChoice(comparisons, op, `${name}.op`);
	const [bits, compared] = [toBits(mask, `${name}.mask`), toBits(value, `${name}.value`)];
	if ((compared & ~bits) !== 0n) {
		throw outOfRange(`${name}.value`, `made of bits of the mask 0x${bits.toString(16)}`, value);
	}
	return [argument, comparison, bits, compared];
}

/** Returns a number as unsigned 64 bits. */
function toBits(value: number | bigint, name: string): bigint {
	if (typeof value !== "number" && typeof value !== "bigint") throw wrongType(name, "a number or a bigint", value);
	return BigInt.asUintN(64, BigInt(word(value, name)));
}

/** Returns the number of an action in the kernel. */
function toAction(action: SeccompAction, name: string): number {
	if (typeof action === "string") return toChoice(seccompActions, action, name);
	if (action === undefined) {
		throw wrongType(name, `${Object.keys(seccompActions).join(", ")}, { errno } or { trace }`, action);
	}
	const { errno, trace } = checkOptions<{ errno?: string | number; trace?: number }, ["errno", "trace"]>(
		action,
		["errno", "trace"],
		name,
	);
	if ((errno === undefined) === (trace === undefined)) throw wrongValue(name, "either { errno } or { trace }", action);
	if (errno !== undefined) return SECCOMP_RET_ERRNO + toErrno(errno, `${name}.errno`);
	return SECCOMP_RET_TRACE + integer(trace, `${name}.trace`, 0, 0xffff);
}

function toErrno(errno: string | number, name: string): number {
	if (typeof errno !== "string") return integer(errno, name, 0, MAX_ERRNO);
	const { constants } = process.getBuiltinModule("node:os");
	const known: Readonly<Record<string, number>> = constants.errno;
	if (Object.hasOwn(known, errno)) return known[errno] ?? 0;
	throw wrongValue(name, `the name of an error${meant(errno, Object.keys(known))}, or its number`, errno);
}

/** Returns the numbers of a call on x64 and on arm64. */
function numbersOf(call: string, name: string): Numbers {
	if (typeof call !== "string") throw wrongType(name, "the name of a system call", call);
	if (Object.hasOwn(calls, call)) return calls[call as keyof typeof calls];
	throw wrongValue(name, `the name of a system call of Linux 7.0${meant(call, Object.keys(calls))}`, call);
}

function meant(written: string, names: readonly string[]): string {
	const near = nearest(written, names);
	return near === undefined ? "" : ` (did you mean ${near}?)`;
}

/** Returns a list of the number of a call, which is empty if the architecture does not have the call. */
function existing([x64, arm64]: Numbers, arch: Architecture): number[] {
	const number = arch === "x64" ? x64 : arm64;
	return number < 0 ? [] : [number];
}
