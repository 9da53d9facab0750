import { closeSync, openSync, readFileSync, writeFileSync, writeSync } from "node:fs";
import { geteuid } from "node:process";
import { type IdMapping, Task } from "@nearfar/core";
import { unshare } from "@nearfar/namespaces";
import { describe, expect, test } from "vitest";
import { refusal } from "../../../test/refusal.ts";

test("NST-26 a map is written once", async () => {
	await using task = await Task.clone();
	task.run(() => unshare(["user"]));
	const path = `/proc/${task.pid}/uid_map`;
	const line = `0 ${geteuid?.()} 1\n`;
	const map = openSync(path, "r+");
	writeSync(map, line);
	expect(refusal(() => writeSync(map, line))).toMatchObject({ code: "EINVAL" });
	closeSync(map);
	expect(refusal(() => writeFileSync(path, line))).toMatchObject({ code: "EPERM" });
	expect(readFileSync(path, "utf8").trim().split(/\s+/)).toEqual(line.trim().split(" "));
});

describe("NST-28 malformed maps", () => {
	const one = { inside: 0, outside: 0, count: 1 };
	const rows: [string, unknown[], string][] = [
		["garbage", [{ inside: "x", outside: 0, count: 1 }], "ERR_INVALID_ARG_TYPE"],
		["a negative id", [{ ...one, inside: -1 }], "ERR_OUT_OF_RANGE"],
		["a negative id outside", [{ ...one, outside: -1 }], "ERR_OUT_OF_RANGE"],
		["count 0", [{ ...one, count: 0 }], "ERR_OUT_OF_RANGE"],
		["a range past the last id", [{ inside: 4_294_967_290, outside: 0, count: 10 }], "ERR_OUT_OF_RANGE"],
		["the id that is none", [{ ...one, inside: 4_294_967_295 }], "ERR_OUT_OF_RANGE"],
		["a count of 33 bits", [{ ...one, count: 4_294_967_296 }], "ERR_OUT_OF_RANGE"],
		["no lines", [], "ERR_INVALID_ARG_VALUE"],
		[
			"341 lines",
			Array.from({ length: 341 }, (_, id) => ({ inside: 2 * id, outside: id, count: 1 })),
			"ERR_OUT_OF_RANGE",
		],
		["overlapping lines", [one, { ...one, outside: 5 }], "ERR_OUT_OF_RANGE"],
	];
	test.each(rows)("NST-28 %s", async (_, uids, code) => {
		const idMap = { uids: uids as IdMapping[], gids: uids as IdMapping[] };
		await expect(Task.clone({ namespaces: ["user"], idMap })).rejects.toMatchObject({ code });
	});
});
