import { expect } from "vitest";
import { runFixture } from "../../../../test/fixture.ts";
import { needs } from "../../../../test/needs.ts";

needs("/proc", "the program prlimit").test(
	"EMFILE at each step of reading and writing a map leaves no descriptor open",
	async () => {
		const { code, report, stderr } = await runFixture("core/map-descriptors");
		expect([code, stderr]).toEqual([0, ""]);
		const none = { scarce: true, left: 0 };
		expect(report).toEqual({ of: none, write: none, helper: none });
	},
);
