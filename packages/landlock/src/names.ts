import { array, type FlagTable, outOfRange, toChoice, wrongType } from "@nearfar/core/internal";

/** Names, or a number that reaches the kernel as it is, 0 to 2^64-1. */
export type Names<T> = readonly T[] | bigint;

/** Converts names of a table to their bits. Only a `bigint` is a number for the kernel. */
export function toMask<T extends FlagTable>(
	table: T,
	names: Names<keyof T & string> | undefined,
	name: string,
	width: 32 | 64 = 64,
): bigint {
	if (names === undefined) return 0n;
	if (typeof names !== "bigint") {
		if (!Array.isArray(names)) throw wrongType(name, "an array of names or a bigint", names);
		return BigInt(bitsOf(table, names, name));
	}
	if (names < 0n || names >> BigInt(width)) throw outOfRange(name, `a bigint from 0 to 2^${width}-1`, names);
	return names;
}

/** Converts names of a table to their bits. */
export function bitsOf<T extends FlagTable>(table: T, names: readonly (keyof T & string)[], name: string): number {
	return array(names, name).reduce<number>((all, flag, i) => all | toChoice(table, flag, `${name}[${i}]`), 0);
}

/** Returns the names of bits, in the order of the bits. */
export function namesOf<T extends FlagTable>(table: T, bits: number): (keyof T & string)[] {
	if (bits === 0) return []; // `spawn` asks for many that are
	return Object.keys(table).filter((name) => bits & (table[name] ?? 0));
}
