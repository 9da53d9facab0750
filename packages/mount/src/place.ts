import { Location, type LocationLike } from "@nearfar/core";
import { type FlagTable, integer, toBits, toPath, wrongValue } from "@nearfar/core/internal";

/** The path of a call that follows links whatever it is told, so that a location that forbids it has to be refused. */
export function followedPath(location: LocationLike, name: string): string | Uint8Array {
	if (location instanceof Location && !location.symlinks && location.path.length > 0) {
		throw wrongValue(name, "a location whose link at the end is followed: this call has no flag against it", location);
	}
	return toPath(location, name);
}

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
