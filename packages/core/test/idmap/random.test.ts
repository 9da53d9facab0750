import { IdMap } from "@nearfar/core";
import { expect, test } from "vitest";
import { refusal } from "../../../../test/refusal.ts";
import { idsOf, linesOf, random, randomMap, randomMappings } from "./reference.ts";

const seeds = Array.from({ length: 400 }, (_, seed) => seed);
const none = new Map<number, number>();

test("random mappings are normalised or refused as one id after the other would be", () => {
	let refused = 0;
	for (const seed of seeds) {
		const mappings = randomMappings(random(seed));
		const ids = idsOf(mappings);
		if (ids) {
			expect(new IdMap(mappings).mappings, `seed ${seed}`).toEqual(linesOf(ids));
			expect(new IdMap(mappings).count).toBe(ids.size);
		} else {
			expect(refusal(() => new IdMap(mappings)).code, `seed ${seed}`).toBe("ERR_OUT_OF_RANGE");
			refused++;
		}
	}
	expect(refused).toBeGreaterThan(20);
});

test("random maps answer for each id as the reference", () => {
	for (const seed of seeds) {
		const map = randomMap(random(seed));
		const ids = idsOf(map) ?? none;
		const back = new Map([...ids].map(([inside, outside]) => [outside, inside]));
		for (let id = 0; id < 40; id++) {
			expect(map.toOutside(id), `seed ${seed}, id ${id}`).toBe(ids.get(id));
			expect(map.toInside(id), `seed ${seed}, id ${id}`).toBe(back.get(id));
		}
	}
});

test("parts of random maps have the ids of the range", () => {
	for (const seed of seeds) {
		const next = random(seed);
		const map = randomMap(next);
		const [inside, count] = [next(30), 1 + next(10)];
		const part = [...(idsOf(map) ?? none)].filter(([id]) => inside <= id && id < inside + count);
		expect(map.slice(inside, count).mappings, `seed ${seed}`).toEqual(linesOf(new Map(part)));
	}
});

test("random maps are put together, or refused where they overlap", () => {
	for (const seed of seeds) {
		const next = random(seed);
		const maps = [randomMap(next), randomMap(next), randomMap(next)] as const;
		const ids = idsOf(maps.flatMap((map) => [...map]));
		const together = () => maps[0].concat(maps[1], maps[2]);
		if (ids) expect(together().mappings, `seed ${seed}`).toEqual(linesOf(ids));
		else expect(refusal(together).code, `seed ${seed}`).toBe("ERR_OUT_OF_RANGE");
	}
});

test("a random map that is cut has the same ids, and no line in two lines of the parent", () => {
	let cuts = 0;
	for (const seed of seeds) {
		const next = random(seed);
		const [map, parent] = [randomMap(next), randomMap(next)];
		const outsides = [...(idsOf(map) ?? none).values()];
		if (outsides.some((id) => parent.toOutside(id) === undefined)) {
			expect(refusal(() => map.cutBy(parent)).code, `seed ${seed}`).toBe("ERR_OUT_OF_RANGE");
			continue;
		}
		const cut = map.cutBy(parent);
		if (cut.mappings.length > map.mappings.length) cuts++;
		expect(idsOf(cut), `seed ${seed}`).toEqual(idsOf(map));
		expect(cut.equals(map) && map.equals(cut)).toBe(true);
		for (const { outside, count } of cut) {
			const holds = parent.mappings.some(
				(each) => each.inside <= outside && outside + count <= each.inside + each.count,
			);
			expect(holds, `seed ${seed}`).toBe(true);
		}
	}
	expect(cuts).toBeGreaterThan(0);
});

test("the text, the JSON and the mappings of a random map make the same map", () => {
	for (const seed of seeds) {
		const map = randomMap(random(seed));
		const colons = map.mappings.map(({ inside, outside, count }) => `${inside}:${outside}:${count}`).join();
		for (const again of [`${map}`, colons].map(IdMap.parse).concat(new IdMap(map), new IdMap(map.toJSON()))) {
			expect(again, `seed ${seed}`).toEqual(map);
			expect(again.equals(map)).toBe(true);
		}
	}
});
