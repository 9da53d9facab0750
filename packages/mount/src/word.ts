import { type FlagTable, integer, toBits } from "@nearfar/core/internal";

/** Flags of a call that takes 32 bits of them: more would be cut off without a word. */
export function toWord<T extends FlagTable>(
	table: T,
	flags: readonly (keyof T & string)[] | number | undefined,
	name: string,
): number {
	return integer(toBits(table, flags, name), name, 0, 2 ** 32 - 1);
}

/** Adds flags to a word of 32 bits, which JavaScript's own operator would make negative. */
export function join(...words: number[]): number {
	return words.reduce((all, word) => all | word, 0) >>> 0;
}
