import { array, integer, wrongValue } from "../arguments.ts";

/** A table of flags: kernel names in camelCase, and their bits. */
export type FlagTable = Readonly<Record<string, number>>;

/**
 * Adds up flags given by name, or lets a number through as it is.
 *
 * @param table - The family, from the generated tables.
 * @param flags - Names of the table, or the number that the kernel is to get.
 * @param name - What the parameter is called, for the error.
 * @throws `TypeError` for a name that is not in the table; the message lists those that are.
 */
export function toBits<T extends FlagTable>(
	table: T,
	flags: readonly (keyof T & string)[] | number | undefined,
	name = "flags",
): number {
	if (flags === undefined) return 0;
	if (typeof flags === "number") return integer(flags, name, 0, Number.MAX_SAFE_INTEGER);
	let bits = 0n;
	for (const flag of array(flags, name)) {
		if (!isName(table, flag)) throw wrongValue(name, `made of ${Object.keys(table).join(", ")}`, flag);
		bits |= BigInt(table[flag] ?? 0);
	}
	return Number(bits);
}

/** Reads one choice of a table by name. */
export function toChoice<T extends FlagTable>(table: T, choice: keyof T & string, name: string): number {
	if (!isName(table, choice)) throw wrongValue(name, `one of ${Object.keys(table).join(", ")}`, choice);
	return table[choice] ?? 0;
}

/** Not only a key: `["bind"]` would pass for "bind". */
function isName(table: FlagTable, name: unknown): boolean {
	return typeof name === "string" && Object.hasOwn(table, name);
}
