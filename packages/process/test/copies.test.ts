import { describe, expect, test } from "vitest";
import { runFixture } from "../../../test/fixture.ts";

const works = {
	code: 5,
	file: false,
	errors: ["ENOENT", "ENOENT", "ENOENT"],
	value: 7,
	waited: 3,
	output: "through a pipe",
	ended: 0,
};

describe("two copies in one thread work at the same time", () => {
	test.each([
		["a file that is imported twice, with another query", "query", "dist/index.js?2", { output: undefined }],
		["a file that is imported, and compiled for require", "require", "dist/index.js", {}],
		["a file that is evaluated in a context of its own", "context", undefined, {}],
		["two installations with one file as the addon", "link", "b/node_modules/@nearfar/core/dist/index.js", {}],
		["two installations with an addon each", "copy", "b/node_modules/@nearfar/core/dist/index.js", {}],
	])("%s", async (_, way, file, differs) => {
		const { report, code, signal } = await runFixture("process/two-copies", { args: [way] });
		expect([code, signal]).toEqual([0, null]);
		expect(report.results.first).toEqual([works, works, works]);
		const second = "output" in differs ? { ...works, output: undefined, ended: undefined } : works;
		expect(report.results.second).toEqual([second, second, second]);
		// A call of one copy in a task of the other is refused: it would be made in this process.
		expect(report.crossed).toEqual({
			call: { name: "NearfarError", code: "ERR_NEARFAR_OTHER_COPY" },
			batch: { name: "NearfarError", code: "ERR_NEARFAR_OTHER_COPY" },
			descriptor: { name: "TypeError", code: "ERR_INVALID_ARG_TYPE" },
			after: [true, true],
			// Copies in contexts of their own do not know of each other.
			...(way !== "context" && { abort: { name: "AbortError", code: "ABORT_ERR" } }),
		});
		const names = report.warnings.map(({ name }: { name: string }) => name);
		expect(names).toEqual(file === undefined ? [] : ["NearfarWarning"]);
		if (file === undefined) return;
		const [, first, second_] = /loaded, (\S+) and (\S+):/.exec(report.warnings[0].message) ?? [];
		expect(first).toMatch(/core\/dist\/index\.js$/);
		expect(second_?.endsWith(file)).toBe(true);
	});
});

test.each(["main", "Worker"])(
	"copies that a %s thread drops are collected, with their tasks and without their programs",
	async (thread) => {
		const { report, code, signal } = await runFixture("process/collected-copies", {
			node: ["--expose-gc"],
			args: [thread],
		});
		expect([code, signal]).toEqual([0, null]);
		expect(report).toEqual({
			collected: true,
			ended: true,
			awaited: Array(10).fill(6),
			programs: Array(10).fill(true),
			works: [4, 5],
		});
	},
);
