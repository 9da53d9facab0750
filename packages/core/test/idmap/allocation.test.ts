import { IdAllocation, type IdRange } from "@nearfar/core";
import { expect, test } from "vitest";
import { refusal } from "../../../../test/refusal.ts";
import { idsOf, random } from "./reference.ts";

const LAST = 4_294_967_294;
const range = (start: number, count: number): IdRange => ({ start, count });
const none = { name: "NearfarError", code: "ERR_NEARFAR_NO_IDS" };

test("ranges are sorted, and those that touch are one", () => {
	const ids = new IdAllocation([range(30, 5), range(10, 5), range(15, 5)]);
	expect(ids.ranges).toEqual([range(10, 10), range(30, 5)]);
	expect(ids.free).toBe(15);
	expect(new IdAllocation().ranges).toEqual([]);
	for (const each of ids.ranges) each.count = 1000;
	expect(ids.free).toBe(15);
});

test("the first range that is large enough serves", () => {
	const ids = new IdAllocation([range(10, 5), range(30, 10), range(50, 10)]);
	expect(ids.find(6)).toEqual(range(30, 6));
	expect(ids.find(11)).toBeUndefined();
	expect(ids.free).toBe(25);
	expect(ids.allocate(6)).toEqual(range(30, 6));
	expect(ids.allocate(5)).toEqual(range(10, 5));
	expect(ids.ranges).toEqual([range(36, 4), range(50, 10)]);
});

test("too few ids are an error that says how many are free, and nothing changes", () => {
	const ids = new IdAllocation([range(10, 5), range(30, 10)]);
	const refused = refusal(() => ids.allocate(11));
	expect(refused).toMatchObject(none);
	expect(refused.message).toContain("15");
	expect(refusal(() => ids.allocateMap(16))).toMatchObject(none);
	expect(refusal(() => new IdAllocation().allocate(1))).toMatchObject(none);
	expect(ids.ranges).toEqual([range(10, 5), range(30, 10)]);
});

test("incus #458, zabbly/incus #55, D12: several ranges are mapped one after the other", () => {
	const make = () => new IdAllocation([range(100, 10), range(200, 10), range(300, 20)]);
	const one = make();
	expect(`${one.allocateMap(15)}`).toBe("0 300 15\n");
	expect(one.ranges).toEqual([range(100, 10), range(200, 10), range(315, 5)]);
	const pieces = make();
	expect(`${pieces.allocateMap(25, 1000)}`).toBe("1000 100 10\n1010 200 10\n1020 300 5\n");
	expect(pieces.ranges).toEqual([range(305, 15)]);
	const all = make();
	expect(all.allocateMap(40).count).toBe(40);
	expect(all.free).toBe(0);
	expect(refusal(() => all.allocateMap(1))).toMatchObject(none);
});

test("a map of more than 340 pieces is refused, and nothing changes", () => {
	const ids = new IdAllocation(Array.from({ length: 341 }, (_, i) => range(i * 2, 1)));
	expect(refusal(() => ids.allocateMap(341))).toMatchObject({ name: "RangeError" });
	expect(ids.free).toBe(341);
	expect(ids.allocateMap(340).mappings).toHaveLength(340);
	expect(ids.ranges).toEqual([range(680, 1)]);
});

test("ids are given back, and taken out one by one", () => {
	const ids = new IdAllocation([range(10, 10)]);
	const taken = ids.allocate(4);
	expect(ids.add(taken)).toBe(ids);
	expect(ids.ranges).toEqual([range(10, 10)]);
	expect(ids.reserve(range(12, 3)).ranges).toEqual([range(10, 2), range(15, 5)]);
	for (const wrong of [range(12, 1), range(10, 3), range(9, 2), range(19, 2), range(10, 10)]) {
		expect(refusal(() => ids.reserve(wrong))).toMatchObject({ name: "RangeError", code: "ERR_OUT_OF_RANGE" });
	}
	expect(ids.ranges).toEqual([range(10, 2), range(15, 5)]);
	expect(refusal(() => ids.add(range(8, 3)))).toMatchObject({ name: "RangeError", code: "ERR_OUT_OF_RANGE" });
	expect(refusal(() => ids.add(range(0, 100)))).toMatchObject({ name: "RangeError", code: "ERR_OUT_OF_RANGE" });
	expect(ids.free).toBe(7);
	expect(ids.add(range(12, 3)).ranges).toEqual([range(10, 10)]);
});

test("all ids can be given away", () => {
	const ids = new IdAllocation([range(0, LAST + 1)]);
	expect(ids.reserve(range(LAST, 1)).free).toBe(LAST);
	expect(ids.allocateMap(LAST).count).toBe(LAST);
	expect(ids.add(range(LAST, 1)).allocateMap(1, LAST).toOutside(LAST)).toBe(LAST);
});

test("random allocations take what the reference has free, and nothing else", () => {
	for (let seed = 0; seed < 200; seed++) {
		const next = random(seed);
		const ids = new IdAllocation();
		const free = new Set<number>();
		for (let step = 0; step < 30; step++) {
			const wanted = range(next(60), 1 + next(8));
			const all = Array.from({ length: wanted.count }, (_, i) => wanted.start + i);
			const why = `seed ${seed}, step ${step}`;
			const change = [
				() => {
					const works = !all.some((id) => free.has(id));
					expect(refusal(() => ids.add(wanted)).code, why).toBe(works ? undefined : "ERR_OUT_OF_RANGE");
					if (works) for (const id of all) free.add(id);
				},
				() => {
					const works = all.every((id) => free.has(id));
					expect(refusal(() => ids.reserve(wanted)).code, why).toBe(works ? undefined : "ERR_OUT_OF_RANGE");
					if (works) for (const id of all) free.delete(id);
				},
				() => {
					if (free.size < wanted.count) return expect(refusal(() => ids.allocateMap(wanted.count))).toMatchObject(none);
					const taken = [...(idsOf(ids.allocateMap(wanted.count, 7)) ?? [])];
					expect(
						taken.map(([inside]) => inside),
						why,
					).toEqual(all.map((_, i) => 7 + i));
					for (const [, id] of taken) expect(free.delete(id), why).toBe(true);
				},
			][next(3)];
			change?.();
			const held = ids.ranges.flatMap(({ start, count }) => Array.from({ length: count }, (_, i) => start + i));
			expect(held, why).toEqual([...free].sort((a, b) => a - b));
			expect(ids.free).toBe(free.size);
		}
	}
});

test("arguments are checked, and an iterable without an end is left", () => {
	const ids = new IdAllocation([range(0, 10)]);
	let closed = false;
	function* endless() {
		try {
			for (let i = 0; ; i++) yield range(i, 1);
		} finally {
			closed = true;
		}
	}
	const rows: [() => unknown, string][] = [
		[() => new IdAllocation(endless()), "ERR_OUT_OF_RANGE"],
		[() => new IdAllocation([range(0, 2), range(1, 2)]), "ERR_OUT_OF_RANGE"],
		[() => new IdAllocation(null as never), "ERR_INVALID_ARG_TYPE"],
		[() => new IdAllocation(range(0, 1) as never), "ERR_INVALID_ARG_TYPE"],
		[() => new IdAllocation([undefined] as never), "ERR_INVALID_ARG_TYPE"],
		[() => new IdAllocation([[0, 1]] as never), "ERR_INVALID_ARG_TYPE"],
		[() => new IdAllocation([{ ...range(0, 1), size: 1 }] as never), "ERR_INVALID_ARG_VALUE"],
		[() => ids.add(undefined as never), "ERR_INVALID_ARG_TYPE"],
		[() => ids.add(range(LAST, 2)), "ERR_OUT_OF_RANGE"],
		[() => ids.add(range(LAST + 1, 1)), "ERR_OUT_OF_RANGE"],
		[() => ids.reserve(range(0, 0)), "ERR_OUT_OF_RANGE"],
		[() => ids.find(0), "ERR_OUT_OF_RANGE"],
		[() => ids.find(LAST + 2), "ERR_OUT_OF_RANGE"],
		[() => ids.allocate("1" as never), "ERR_INVALID_ARG_TYPE"],
		[() => ids.allocate(1.5), "ERR_OUT_OF_RANGE"],
		[() => ids.allocateMap(1, -1), "ERR_OUT_OF_RANGE"],
		[() => ids.allocateMap(2, LAST), "ERR_OUT_OF_RANGE"],
		[() => ids.allocateMap(1, null as never), "ERR_INVALID_ARG_TYPE"],
	];
	for (const [call, code] of rows) expect(refusal(call).code, `${call}`).toBe(code);
	expect(closed).toBe(true);
	expect(ids.ranges).toEqual([range(0, 10)]);
});
