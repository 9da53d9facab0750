import { readFileSync } from "node:fs";
import { IdMap } from "@nearfar/core";
import { describe, expect, test } from "vitest";
import { refusal } from "../../../../test/refusal.ts";

const two = [
	{ inside: 0, outside: 1000, count: 1 },
	{ inside: 1, outside: 100_000, count: 65_536 },
];

test("a map is read in the form of the kernel and in that of options", () => {
	const texts = [
		"0 1000 1\n1 100000 65536",
		"0 1000 1\n1 100000 65536\n",
		"         0       1000          1\n         1     100000      65536\n",
		"0:1000:1,1:100000:65536",
		"\n\n 0\t1000 1 \r\n\n,, 1 : 100000 : 65536 ,",
		"1 100000 65536,0:1000:1",
		"1:100000:65535\n65536:165535:1\n0:1000:1",
	];
	for (const text of texts) expect(IdMap.parse(text).mappings, text).toEqual(two);
});

test("the map of this process is read as the kernel shows it", () => {
	const text = readFileSync("/proc/self/uid_map", "utf8");
	const numbers = text.trim().split(/\s+/);
	expect(IdMap.parse(text).toString().trim().split(/\s+/)).toEqual(numbers);
});

describe("a text that is no map is refused", () => {
	const rows: [text: string, code: string][] = [
		["garbage", "ERR_INVALID_ARG_VALUE"],
		["0 1000", "ERR_INVALID_ARG_VALUE"],
		["0 1000 1 1", "ERR_INVALID_ARG_VALUE"],
		["0:1000 1", "ERR_INVALID_ARG_VALUE"],
		["0::1000:1", "ERR_INVALID_ARG_VALUE"],
		["0:1000:1:", "ERR_INVALID_ARG_VALUE"],
		["0 -1 1", "ERR_INVALID_ARG_VALUE"],
		["0 +1 1", "ERR_INVALID_ARG_VALUE"],
		["0x0 1000 1", "ERR_INVALID_ARG_VALUE"],
		["0 1e3 1", "ERR_INVALID_ARG_VALUE"],
		["0 1.0 1", "ERR_INVALID_ARG_VALUE"],
		["0 1000 1\0", "ERR_INVALID_ARG_VALUE"],
		["0\u00a01000 1", "ERR_INVALID_ARG_VALUE"],
		["0 ١٠٠٠ 1", "ERR_INVALID_ARG_VALUE"],
		["0 1000 1 # mine", "ERR_INVALID_ARG_VALUE"],
		["0 1000 0", "ERR_OUT_OF_RANGE"],
		["0 4294967295 1", "ERR_OUT_OF_RANGE"],
		["0 0 4294967296", "ERR_OUT_OF_RANGE"],
		["0 99999999999999999999999999 1", "ERR_OUT_OF_RANGE"],
		[`0 ${"9".repeat(500)} 1`, "ERR_OUT_OF_RANGE"],
		["0 0 10\n5 50 1", "ERR_OUT_OF_RANGE"],
	];
	test.each(rows)("%j", (text, code) => {
		expect(refusal(() => IdMap.parse(text)).code).toBe(code);
	});

	test("the message quotes the line, and no more than its beginning", () => {
		const error = refusal(() => IdMap.parse(`0 1000 1\nmalformed ${"x".repeat(1_000_000)}`));
		expect(error.name).toBe("TypeError");
		expect(error.message).toContain("malformed");
		expect(error.message.length).toBeLessThan(400);
	});

	test("another type", () => {
		for (const text of [undefined, null, 5, Buffer.from("0 0 1"), ["0 0 1"]]) {
			expect(refusal(() => IdMap.parse(text as never)).code).toBe("ERR_INVALID_ARG_TYPE");
		}
	});
});

test("long texts end with an answer", () => {
	const spaces = " ".repeat(1_000_000);
	expect(IdMap.parse(`0${spaces}1000${spaces}1${spaces}`).count).toBe(1);
	expect(refusal(() => IdMap.parse(`0${spaces}1000${spaces}1${spaces}x`)).code).toBe("ERR_INVALID_ARG_VALUE");
	expect(refusal(() => IdMap.parse("1".repeat(4_000_000))).code).toBe("ERR_INVALID_ARG_VALUE");
	expect(IdMap.parse(",\n".repeat(2_000_000)).count).toBe(0);
	expect(refusal(() => IdMap.parse("\n".repeat(5_000_000)))).toMatchObject({ name: "RangeError" });
	const many = Array.from({ length: 70_000 }, (_, i) => `${i}:${i}:1`).join();
	expect(refusal(() => IdMap.parse(many)).code).toBe("ERR_OUT_OF_RANGE");
});
