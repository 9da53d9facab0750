import { options as checkOptions, id, integer, wrongType } from "../arguments.ts";
import { readIterable } from "./read-iterable.ts";

/** A range of ids that a user namespace maps. */
export interface IdMapping {
	/** First id inside. */
	inside: number;
	/** First id outside, in the parent user namespace. */
	outside: number;
	/** How many ids the range has. */
	count: number;
}

/** One more than the largest id. The kernel has no id 4294967295, which means "none" or "unchanged". */
export const END_OF_IDS = 2 ** 32 - 1;

/**
 * Reads the mappings of an iterable, and checks each of them. Every property is read once, because a getter may return another number
 * the second time.
 *
 * @param source - Objects or tuples.
 * @param name - The name of the parameter for error messages.
 */
export function readMappings(source: unknown, name: string): IdMapping[] {
	return readIterable(source, name, "mappings", toMapping);
}

function toMapping(source: unknown, name: string): IdMapping {
	if (!Array.isArray(source)) {
		if (typeof source !== "object" || source === null) throw wrongType(name, "a mapping", source);
		const { inside, outside, count } = checkOptions(source as IdMapping, ["inside", "outside", "count"], name);
		return checkMapping([inside, outside, count], [`${name}.inside`, `${name}.outside`, `${name}.count`]);
	}
	if (source.length !== 3) throw wrongType(name, "an array of three numbers: inside, outside, count", source);
	const [inside, outside, count] = source;
	return checkMapping([inside, outside, count], [`${name}[0]`, `${name}[1]`, `${name}[2]`]);
}

/** Checks the three numbers of a mapping, whose names are for error messages. */
export function checkMapping(
	[inside, outside, count]: readonly [unknown, unknown, unknown],
	names: readonly [string, string, string],
): IdMapping {
	const ids = { inside: id(inside, names[0]), outside: id(outside, names[1]) };
	return { ...ids, count: integer(count, names[2], 1, END_OF_IDS - Math.max(ids.inside, ids.outside)) };
}

/** Returns the line that has an id inside. */
export function lineInside(lines: readonly IdMapping[], id: number): IdMapping | undefined {
	return lines.find(({ inside, count }) => inside <= id && id < inside + count);
}

/** Returns a mapping as the kernel writes it, with single spaces. */
export function lineOf({ inside, outside, count }: IdMapping): string {
	return `${inside} ${outside} ${count}`;
}
