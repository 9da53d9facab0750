import { options as checkOptions, id, integer } from "../arguments.ts";
import { END_OF_IDS } from "./mapping.ts";

/** A range of ids. */
export interface IdRange {
	/** The first id, 0 to 4294967294. */
	start: number;
	/** How many ids, 1 to 4294967295 - `start`. */
	count: number;
}

/** Checks a range. Returns a copy, for which every property was read once. */
export function checkRange(range: IdRange, name: string): IdRange {
	const { start: first, count } = checkOptions(range, ["start", "count"], name);
	const start = id(first, `${name}.start`);
	return { start, count: integer(count, `${name}.count`, 1, END_OF_IDS - start) };
}

/** Returns the id after the last one of a range. */
export function endOf({ start, count }: IdRange): number {
	return start + count;
}

/** Sorts ranges, and joins those that touch or overlap. */
export function mergeRanges(ranges: readonly IdRange[]): IdRange[] {
	const merged: IdRange[] = [];
	for (const { start, count } of [...ranges].sort((a, b) => a.start - b.start)) {
		const last = merged.at(-1);
		if (last && start <= endOf(last)) last.count = Math.max(endOf(last), start + count) - last.start;
		else merged.push({ start, count });
	}
	return merged;
}
