import { IdMap, type IdMapping } from "@nearfar/core";
import { describe, expect, test } from "vitest";
import { refusal } from "../../../../test/refusal.ts";

const LAST = 4_294_967_294;
const own = { inside: 0, outside: 1000, count: 1 };

test("a map is sorted, and neighbours are one line", () => {
	const map = new IdMap([[11, 111, 5], own, { inside: 1, outside: 101, count: 10 }]);
	expect(map.mappings).toEqual([own, { inside: 1, outside: 101, count: 15 }]);
	expect(map.count).toBe(16);
	expect([...map]).toEqual(map.mappings);
	expect(`${map}`).toBe("0 1000 1\n1 101 15\n");
	expect(JSON.stringify(map)).toBe('[{"inside":0,"outside":1000,"count":1},{"inside":1,"outside":101,"count":15}]');
});

test("lines that continue each other on one side alone stay two lines", () => {
	expect(new IdMap([[0, 10, 5], [5, 20, 5]]).mappings).toHaveLength(2); // biome-ignore format: one line for each map
	expect(new IdMap([[0, 10, 5], [9, 15, 5]]).mappings).toHaveLength(2); // biome-ignore format: one line for each map
});

test("a map cannot be changed, neither directly nor through what it was made of", () => {
	const source = [{ ...own }];
	const map = new IdMap(source);
	for (const each of source) each.count = 7;
	source.pop();
	const mappings = map.mappings as IdMapping[];
	expect(() => mappings.push(own)).toThrow(TypeError);
	expect(() => Object.assign(mappings[0] as IdMapping, { count: 2 })).toThrow(TypeError);
	expect(() => Object.assign(map, { count: 2 })).toThrow(TypeError);
	for (const each of map.toJSON()) each.count = 9;
	expect(map.toJSON()).toEqual([own]);
});

test("the identity has every id", () => {
	expect(IdMap.identity().mappings).toEqual([{ inside: 0, outside: 0, count: 4_294_967_295 }]);
	expect(IdMap.identity().toOutside(LAST)).toBe(LAST);
	expect(IdMap.identity(LAST).mappings).toEqual([{ inside: LAST, outside: LAST, count: 1 }]);
	expect(IdMap.identity(5, 2).mappings).toEqual([{ inside: 5, outside: 5, count: 2 }]);
});

test("the empty map is a value", () => {
	const empty = new IdMap([]);
	expect([empty.count, `${empty}`, empty.toOutside(0), empty.toInside(0)]).toEqual([0, "", undefined, undefined]);
	expect(empty.equals(IdMap.parse("\n \n"))).toBe(true);
	expect(empty.concat([own]).mappings).toEqual([own]);
	expect(empty.cutBy(IdMap.identity()).count).toBe(0);
	expect(new IdMap([own]).slice(1, 10).count).toBe(0);
});

test("podman #13149, lxd #5355, vagga #75, D13: an overlap is refused before any call, and names both mappings", () => {
	const inside = refusal(() => new IdMap([[0, 0, 10], [9, 100, 1]])); // biome-ignore format: one line for each map
	expect(inside).toMatchObject({ name: "RangeError", code: "ERR_OUT_OF_RANGE" });
	for (const each of ['"0 0 10"', '"9 100 1"']) expect(inside.message).toContain(each);
	const outside = refusal(() => new IdMap([[100, 9, 1], [0, 0, 10]])); // biome-ignore format: one line for each map
	expect(outside).toMatchObject({ name: "RangeError", code: "ERR_OUT_OF_RANGE" });
	for (const each of ['"0 0 10"', '"100 9 1"']) expect(outside.message).toContain(each);
	expect(refusal(() => new IdMap([own, own])).code).toBe("ERR_OUT_OF_RANGE");
	expect(refusal(() => new IdMap([own]).concat([own])).code).toBe("ERR_OUT_OF_RANGE");
	// A long line overlaps a line that is not the next one.
	expect(refusal(() => new IdMap([[0, 0, 100], [20, 200, 1], [21, 50, 1]])).code).toBe("ERR_OUT_OF_RANGE"); // biome-ignore format: one line
});

describe("NST-28 a malformed mapping is refused", () => {
	const type = ["TypeError", "ERR_INVALID_ARG_TYPE"] as const;
	const range = ["RangeError", "ERR_OUT_OF_RANGE"] as const;
	const rows: [string, unknown, readonly [string, string]][] = [
		["undefined", undefined, type],
		["null", null, type],
		["a string", "0 1000 1", type],
		["an object that is no iterable", { ...own }, type],
		["a number as a mapping", [5], type],
		["a hole", new Array(1), type],
		["an array of two", [[0, 1000]], type],
		["an array of four", [[0, 1000, 1, 1]], type],
		["a mapping without a count", [{ inside: 0, outside: 0 }], type],
		["a numeral", [{ ...own, inside: "0" }], type],
		["a bigint", [{ ...own, outside: 0n }], type],
		["an unknown property", [{ ...own, size: 1 }], ["TypeError", "ERR_INVALID_ARG_VALUE"]],
		["NaN", [{ ...own, inside: Number.NaN }], range],
		["minus zero", [{ ...own, inside: -0 }], range],
		["a fraction", [{ ...own, count: 1.5 }], range],
		["a negative id", [{ ...own, outside: -1 }], range],
		["count 0", [{ ...own, count: 0 }], range],
		["the id that is none", [{ ...own, inside: LAST + 1 }], range],
		["ids inside past the last", [{ inside: 4_294_967_290, outside: 0, count: 10 }], range],
		["ids outside past the last", [{ inside: 0, outside: 4_294_967_290, count: 6 }], range],
		["a count of 33 bits", [{ inside: 0, outside: 0, count: 4_294_967_296 }], range],
	];
	test.each(rows)("%s", (_, mappings, [name, code]) => {
		expect(refusal(() => new IdMap(mappings as IdMapping[]))).toMatchObject({ name, code });
	});

	test("the last id can be mapped", () => {
		const map = new IdMap([[0, LAST, 1], [LAST, 0, 1]]); // biome-ignore format: one line for each map
		expect([map.toOutside(LAST), map.toInside(LAST)]).toEqual([0, 0]);
	});
});

test("340 lines are a map, and one more is refused, unless neighbours join", () => {
	const lines = (count: number) => Array.from({ length: count }, (_, i) => [i * 2, i * 2, 1] as const);
	expect(new IdMap(lines(340)).mappings).toHaveLength(340);
	expect(refusal(() => new IdMap(lines(341)))).toMatchObject({ name: "RangeError", code: "ERR_OUT_OF_RANGE" });
	expect(refusal(() => new IdMap(lines(340)).concat([{ ...own, inside: 999 }])).code).toBe("ERR_OUT_OF_RANGE");
	expect(new IdMap(Array.from({ length: 65_536 }, (_, i) => [i, i, 1] as const)).mappings).toHaveLength(1);
});

test("an iterable without an end is left at 65537 mappings, and its iterator is closed", () => {
	let [given, closed] = [0, false];
	function* endless(): Generator<IdMapping> {
		try {
			for (;;) yield { inside: given, outside: given++, count: 1 };
		} finally {
			closed = true;
		}
	}
	expect(refusal(() => new IdMap(endless()))).toMatchObject({ name: "RangeError", code: "ERR_OUT_OF_RANGE" });
	expect(closed).toBe(true);
	expect(given).toBe(65_537);
	expect(refusal(() => new IdMap([]).concat(endless())).code).toBe("ERR_OUT_OF_RANGE");
	expect(refusal(() => new IdMap([]).equals(endless() as never)).code).toBe("ERR_OUT_OF_RANGE");
});

test("getters and Proxies are read once, and their errors pass", () => {
	let reads = 0;
	const shifty = {
		get inside() {
			return reads++ === 0 ? 5 : -1;
		},
		outside: 6,
		count: 1,
	};
	expect(new IdMap([shifty]).mappings).toEqual([{ inside: 5, outside: 6, count: 1 }]);
	const failure = new Error("mine");
	const throwing = new Proxy({ ...own }, {
		get() {
			throw failure;
		},
	}); // biome-ignore format: one Proxy
	const revoked = Proxy.revocable({}, {});
	revoked.revoke();
	expect(refusal(() => new IdMap([throwing]))).toBe(failure);
	expect(refusal(() => new IdMap(throwing as never))).toBe(failure);
	expect(() => new IdMap([revoked.proxy as never])).toThrow(TypeError);
	expect(() => new IdMap(revoked.proxy as never)).toThrow(TypeError);
	expect(new IdMap(new Proxy([own], {})).mappings).toEqual([own]);
	expect(new IdMap([new Proxy([0, 1000, 1] as const, {})]).mappings).toEqual([own]);
});

test("podman #8816, D11: a line that spans two lines of the parent is cut", () => {
	const parent = new IdMap([[0, 1000, 1], [1, 100_000, 65_536]]); // biome-ignore format: one line for each map
	const map = IdMap.identity(0, 10);
	const cut = map.cutBy(parent);
	expect(`${cut}`).toBe("0 0 1\n1 1 9\n");
	expect(cut.equals(map) && map.equals(cut)).toBe(true);
	expect(cut.count).toBe(10);
	expect(new IdMap(cut).mappings).toEqual(map.mappings);
	const missing = refusal(() => IdMap.identity(65_530, 10).cutBy(parent));
	expect(missing).toMatchObject({ name: "RangeError", code: "ERR_OUT_OF_RANGE" });
	expect(missing.message).toContain("65537");
});

test("a cut into more than 340 pieces is refused", () => {
	const parent = new IdMap(Array.from({ length: 340 }, (_, i) => [i * 2, i * 3, 2] as const));
	expect(IdMap.identity(0, 680).cutBy(parent).mappings).toHaveLength(340);
	const [one, rest] = [
		{ inside: 0, outside: 0, count: 1 },
		{ inside: 10, outside: 1, count: 679 },
	] as const;
	expect(refusal(() => new IdMap([one, rest]).cutBy(parent))).toMatchObject({ name: "RangeError" });
});

test("arguments of the methods are checked", () => {
	const map = new IdMap([own]);
	const rows: [() => unknown, string][] = [
		[() => map.toOutside("0" as never), "ERR_INVALID_ARG_TYPE"],
		[() => map.toInside(LAST + 1), "ERR_OUT_OF_RANGE"],
		[() => map.slice(-1, 1), "ERR_OUT_OF_RANGE"],
		[() => map.slice(0, 0), "ERR_OUT_OF_RANGE"],
		[() => map.slice(1, 4_294_967_295), "ERR_OUT_OF_RANGE"],
		[() => map.slice(0, undefined as never), "ERR_INVALID_ARG_TYPE"],
		[() => map.concat(undefined as never), "ERR_INVALID_ARG_TYPE"],
		[() => map.cutBy(undefined as never), "ERR_INVALID_ARG_TYPE"],
		[() => map.equals("" as never), "ERR_INVALID_ARG_TYPE"],
		[() => IdMap.identity(LAST + 1), "ERR_OUT_OF_RANGE"],
		[() => IdMap.identity(1, 4_294_967_295), "ERR_OUT_OF_RANGE"],
		[() => IdMap.identity(null as never), "ERR_INVALID_ARG_TYPE"],
	];
	for (const [call, code] of rows) expect(refusal(call).code, `${call}`).toBe(code);
	expect(map.equals([own] as never)).toBe(true);
});
