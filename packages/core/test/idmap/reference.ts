// A slow reference: a map as a JavaScript Map with one entry for each id. Ids are small here, so that maps meet often.
import { IdMap, type IdMapping } from "@nearfar/core";

/** Returns the same random numbers for the same seed (mulberry32). */
export function random(seed: number): (below: number) => number {
	let state = seed;
	return (below) => {
		state = (state + 0x6d2b79f5) | 0;
		let t = Math.imul(state ^ (state >>> 15), 1 | state);
		t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
		return ((t ^ (t >>> 14)) >>> 0) % below;
	};
}

/** Returns random mappings of ids below 40, which may overlap. */
export function randomMappings(next: (below: number) => number): IdMapping[] {
	return Array.from({ length: next(6) }, () => ({ inside: next(30), outside: next(30), count: 1 + next(5) }));
}

/** Returns the ids of a map one by one, or `undefined` if an id occurs twice. */
export function idsOf(mappings: Iterable<IdMapping>): Map<number, number> | undefined {
	const ids = new Map<number, number>();
	const outsides = new Set<number>();
	for (const { inside, outside, count } of mappings) {
		for (let i = 0; i < count; i++) {
			if (ids.has(inside + i) || outsides.has(outside + i)) return undefined;
			ids.set(inside + i, outside + i);
			outsides.add(outside + i);
		}
	}
	return new Map([...ids].sort(([a], [b]) => a - b));
}

/** Returns the fewest lines for these ids. */
export function linesOf(ids: ReadonlyMap<number, number>): IdMapping[] {
	const lines: IdMapping[] = [];
	for (const [inside, outside] of ids) {
		const last = lines.at(-1);
		if (last && last.inside + last.count === inside && last.outside + last.count === outside) last.count++;
		else lines.push({ inside, outside, count: 1 });
	}
	return lines;
}

/** Returns a random map without overlaps. */
export function randomMap(next: (below: number) => number): IdMap {
	for (;;) {
		const mappings = randomMappings(next);
		if (idsOf(mappings)) return new IdMap(mappings);
	}
}
