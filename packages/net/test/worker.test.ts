import { expect, test } from "vitest";
import { runFixture } from "../../../test/fixture.ts";

test.each(["terminate", "exit"])(
	"a server of a Worker outlives garbage collection, and ends with the Worker: %s",
	async (how) => {
		const { report, code, stderr } = await runFixture("net/worker", { args: [how], node: ["--expose-gc"] });
		expect([code, stderr]).toEqual([0, ""]);
		expect(report.texts).toEqual(["still served", "still served", "still served"]);
		// The channel of a Worker's task is closed once the task is reaped, so that the first count may be two too large.
		expect(report.left).toBeLessThanOrEqual(2);
	},
);
