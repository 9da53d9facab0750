import { id as checkId, integer, outOfRange, wrongType } from "../arguments.ts";
import { NearfarError } from "../errors.ts";
import { IdMap } from "./id-map.ts";
import { END_OF_IDS } from "./mapping.ts";
import { checkRange, endOf, type IdRange, mergeRanges } from "./range.ts";
import { readIterable } from "./read-iterable.ts";

/**
 * Free ids, of which parts are given away.
 *
 * The object knows nothing of other processes: two allocations that were made of the same ranges give the same ids away.
 *
 * @example
 * ```ts
 * const ids = new IdAllocation([{ start: 100_000, count: 65_536 }]);
 * const first = ids.allocate(1000);
 * console.log(first, ids.free); // { start: 100000, count: 1000 } 64536
 * console.log(`${ids.allocateMap(10)}`.trim()); // 0 101000 10
 * ids.add(first); // is free again
 * ```
 * @see subuid(5)
 */
export class IdAllocation {
	/** The free ranges, sorted. No two of them touch. Every change replaces the array. */
	#ranges: readonly IdRange[];

	/**
	 * Makes an allocation.
	 *
	 * @param ranges - The free ranges, at most 65536, in any order. Default: none.
	 * @throws `TypeError` `ranges` is not an iterable of ranges.
	 * @throws `RangeError` An id or a count is out of its range.
	 * @throws `RangeError` Two ranges overlap. The message names both.
	 * @throws `RangeError` There are more than 65536 ranges.
	 * @throws Any error that iterating over `ranges` throws.
	 */
	constructor(ranges: Iterable<IdRange> = []) {
		this.#ranges = joinDisjoint(readIterable(ranges, "ranges", "ranges", toRange), "ranges");
	}

	/** The free ranges, sorted by their first id. Ranges that touch are one. */
	get ranges(): readonly IdRange[] {
		return this.#ranges.map((range) => ({ ...range }));
	}

	/** How many ids are free. */
	get free(): number {
		return this.#ranges.reduce((sum, { count }) => sum + count, 0);
	}

	/**
	 * Adds ids, or gives back ids that were allocated.
	 *
	 * @param range - The ids, of which none is free already.
	 * @returns This allocation.
	 * @throws `TypeError` `range` is not a range.
	 * @throws `RangeError` An id or a count is out of its range.
	 * @throws `RangeError` An id is free already. The allocation is as before.
	 */
	add(range: IdRange): this {
		const added = checkRange(range, "range");
		this.#ranges = joinDisjoint([...this.#ranges, added], "range");
		return this;
	}

	/**
	 * Finds free ids in one piece, and changes nothing.
	 *
	 * @param count - How many ids, 1 to 4294967295.
	 * @returns The first ids of the lowest range that is large enough, or `undefined`.
	 * @throws `TypeError` `count` is not a number.
	 * @throws `RangeError` `count` is out of its range.
	 */
	find(count: number): IdRange | undefined {
		const wanted = integer(count, "count", 1, END_OF_IDS);
		const range = this.#ranges.find((each) => each.count >= wanted);
		return range && { start: range.start, count: wanted };
	}

	/**
	 * Takes the ids in one piece that {@link IdAllocation.find} returns.
	 *
	 * @param count - How many ids, 1 to 4294967295.
	 * @returns The ids, which are no longer free.
	 * @throws `ERR_NEARFAR_NO_IDS` No free range is large enough. The allocation is as before. The message says how many ids are free.
	 * @throws `TypeError` `count` is not a number.
	 * @throws `RangeError` `count` is out of its range.
	 */
	allocate(count: number): IdRange {
		const range = this.find(count);
		if (!range) throw this.#noIds(`no ${count} ids in one piece`);
		this.#take([range]);
		return range;
	}

	/**
	 * Takes ids, and returns a map of them.
	 *
	 * The ids are one piece if a free range is large enough. Otherwise the pieces are the lowest free
	 * ranges, and the map has the pieces one after the other.
	 *
	 * @param count - How many ids, 1 to 4294967295 - `inside`.
	 * @param inside - The first id inside, 0 to 4294967294. Default: 0.
	 * @returns The map, whose ids outside are no longer free.
	 * @throws `ERR_NEARFAR_NO_IDS` Fewer ids are free. The allocation is as before. The message says how many ids are free.
	 * @throws `TypeError` An argument is not a number.
	 * @throws `RangeError` An argument is out of its range.
	 * @throws `RangeError` The map would have more than 340 pieces. The allocation is as before.
	 * @example
	 * ```ts
	 * const ids = new IdAllocation([{ start: 100_000, count: 10 }, { start: 200_000, count: 10 }]);
	 * console.log(JSON.stringify(`${ids.allocateMap(15)}`)); // "0 100000 10\n10 200000 5\n"
	 * ```
	 */
	allocateMap(count: number, inside = 0): IdMap {
		const first = checkId(inside, "inside");
		const wanted = integer(count, "count", 1, END_OF_IDS - first);
		const one = this.find(wanted);
		const pieces = one ? [one] : this.#lowest(wanted);
		if (!pieces) throw this.#noIds(`no ${wanted} ids`);
		let next = first;
		const mappings = pieces.map(({ start, count }) => {
			next += count;
			return [next - count, start, count] as const;
		});
		const map = new IdMap(mappings);
		this.#take(pieces);
		return map;
	}

	/**
	 * Takes out just these ids, for example because another program uses them.
	 *
	 * @param range - The ids, all of which are free.
	 * @returns This allocation.
	 * @throws `TypeError` `range` is not a range.
	 * @throws `RangeError` An id or a count is out of its range.
	 * @throws `RangeError` One of the ids is not free. The allocation is as before.
	 */
	reserve(range: IdRange): this {
		const wanted = checkRange(range, "range");
		if (!this.#holderOf(wanted)) throw outOfRange("range", "a range of ids that are all free", wanted);
		this.#take([wanted]);
		return this;
	}

	/** Returns the free range that has all ids of a piece. */
	#holderOf(piece: IdRange): IdRange | undefined {
		return this.#ranges.find((each) => each.start <= piece.start && endOf(piece) <= endOf(each));
	}

	/** Returns free ids from the lowest up, or `undefined` if fewer are free. */
	#lowest(wanted: number): IdRange[] | undefined {
		let missing = wanted;
		const pieces: IdRange[] = [];
		for (const { start, count } of this.#ranges) {
			pieces.push({ start, count: Math.min(count, missing) });
			missing -= Math.min(count, missing);
			if (missing === 0) return pieces;
		}
		return undefined;
	}

	/** Removes sorted pieces from the free ranges, each of which holds a piece as a whole or not at all. */
	#take(pieces: readonly IdRange[]): void {
		const taken = new Map<IdRange, IdRange>();
		for (const piece of pieces) {
			const holder = this.#holderOf(piece);
			if (holder) taken.set(holder, piece);
		}
		this.#ranges = this.#ranges.flatMap((range) => {
			const piece = taken.get(range);
			if (!piece) return [range];
			const before = { start: range.start, count: piece.start - range.start };
			const after = { start: endOf(piece), count: endOf(range) - endOf(piece) };
			return [before, after].filter(({ count }) => count > 0);
		});
	}

	#noIds(what: string): NearfarError {
		const largest = this.#ranges.reduce((most, { count }) => Math.max(most, count), 0);
		const free = this.free === 0 ? "none is free" : `${this.free} are free, the largest piece has ${largest}`;
		return new NearfarError("NO_IDS", `${what}: ${free}`);
	}
}

function toRange(source: unknown, name: string): IdRange {
	if (typeof source !== "object" || source === null) throw wrongType(name, "a range", source);
	return checkRange(source as IdRange, name);
}

/** Sorts ranges and joins those that touch. Throws a `RangeError` that names both if two overlap. */
function joinDisjoint(ranges: readonly IdRange[], name: string): IdRange[] {
	const sorted = [...ranges].sort((a, b) => a.start - b.start);
	for (const [index, next] of sorted.entries()) {
		const before = sorted[index - 1];
		if (!before || endOf(before) <= next.start) continue;
		const both = [before, next].map((each) => `${each.start} to ${endOf(each) - 1}`).join(" and ");
		throw outOfRange(name, `without overlaps: ${both} overlap`, next);
	}
	return mergeRanges(sorted);
}
