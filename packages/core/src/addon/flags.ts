import { array, integer, wrongValue } from "../arguments.ts";

/** A table of flags: the names of the kernel in camelCase, and their bits. */
export type FlagTable = Readonly<Record<string, number>>;

/**
 * Converts names of flags to their bits. A number is returned as it is.
 *
 * @param table - A table from `flags.generated.ts`.
 * @param flags - Names of the table, or a number for the kernel.
 * @param name - The name of the parameter, for the error message.
 * @throws `TypeError` A name is not in the table. The message lists the names that are.
 * @throws `RangeError` The number is not from 0 to 2^53-1.
 */
export function toBits<T extends FlagTable>(
	table: T,
	flags: readonly (keyof T & string)[] | number | undefined,
	name = "flags",
): number {
	if (flags === undefined) return 0;
	if (typeof flags === "number") return integer(flags, name, 0, Number.MAX_SAFE_INTEGER);
	return array(flags, name).reduce<number>(
		(all, flag, index) => joinBits(all, toChoice(table, flag, `${name}[${index}]`)),
		0,
	);
}

/** Returns the bits of both numbers. `|` alone is right up to 2^31, and BigInt takes several times as long. */
export function joinBits(one: number, other: number): number {
	if (one < 2 ** 31 && other < 2 ** 31) return one | other;
	return Number(BigInt(one) | BigInt(other));
}

/** Converts one name of a table to its value. Throws a `TypeError` for a name that is not in the table. */
export function toChoice<T extends FlagTable>(table: T, choice: keyof T & string, name: string): number {
	if (!isName(table, choice)) throw wrongValue(name, `one of ${Object.keys(table).join(", ")}`, choice);
	return table[choice] ?? 0;
}

/** True when `name` is a string and a key. An array such as `["bind"]` would be converted to the key "bind". */
function isName(table: FlagTable, name: unknown): boolean {
	return typeof name === "string" && Object.hasOwn(table, name);
}
