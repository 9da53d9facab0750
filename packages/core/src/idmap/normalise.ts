import { outOfRange } from "../arguments.ts";
import { type IdMapping, lineOf } from "./mapping.ts";

/** The most lines that the kernel takes (UID_GID_MAP_MAX_EXTENTS). */
const MOST_LINES = 340;

/**
 * Returns the lines of a map, sorted by the ids inside. Throws a `RangeError` if two ranges overlap.
 *
 * @param mappings - Checked mappings, in any order.
 * @param name - The name of the parameter for error messages.
 */
export function sortLines(mappings: readonly IdMapping[], name: string): IdMapping[] {
	const sorted = sortBy(mappings, "inside");
	refuseOverlap(sorted, name, "inside");
	refuseOverlap(sortBy(mappings, "outside"), name, "outside");
	return sorted;
}

type Side = "inside" | "outside";

function sortBy(mappings: readonly IdMapping[], side: Side): IdMapping[] {
	return [...mappings].sort((a, b) => a[side] - b[side]);
}

/** Throws a `RangeError` that names two mappings if both have the same id on one side, by which the mappings are sorted. */
function refuseOverlap(sorted: readonly IdMapping[], name: string, side: Side): void {
	for (const [index, next] of sorted.entries()) {
		const before = sorted[index - 1];
		if (!before || before[side] + before.count <= next[side]) continue;
		const both = `${next[side]} is in "${lineOf(before)}" and in "${lineOf(next)}"`;
		throw outOfRange(name, `a map in which every id ${side} occurs once: ${both}`, lineOf(next));
	}
}

/** Joins lines that continue each other on both sides. The lines are sorted by the ids inside. */
export function joinNeighbours(lines: readonly IdMapping[]): IdMapping[] {
	const joined: IdMapping[] = [];
	for (const { inside, outside, count } of lines) {
		const last = joined.at(-1);
		if (last && last.inside + last.count === inside && last.outside + last.count === outside) last.count += count;
		else joined.push({ inside, outside, count });
	}
	return joined;
}

/** Freezes the lines of a map, and throws a `RangeError` for more lines than the kernel takes. */
export function freezeLines(lines: readonly IdMapping[], name: string): readonly IdMapping[] {
	if (lines.length > MOST_LINES) throw outOfRange(name, `a map of at most ${MOST_LINES} lines`, lines.length);
	for (const line of lines) Object.freeze(line);
	return Object.freeze(lines);
}
