import { type FlagTable, integer, toBits } from "@nearfar/core/internal";

/**
 * Converts flags for a call that takes 32 bits of them. A larger number is refused, because the kernel would drop its
 * upper half silently.
 */
export function toWord<T extends FlagTable>(
	table: T,
	flags: readonly (keyof T & string)[] | number | undefined,
	name: string,
): number {
	return integer(toBits(table, flags, name), name, 0, 2 ** 32 - 1);
}

/** Joins words of 32 bits with `|`, as an unsigned number: the operator alone returns a signed one. */
export function join(...words: number[]): number {
	return words.reduce((all, word) => all | word, 0) >>> 0;
}
