import { expect, test } from "vitest";
import { runFixture } from "../../../test/fixture.ts";

test("a worker of node:cluster serves at an IP address itself, and refuses a path", async () => {
	const { report, code, stderr } = await runFixture("net/cluster", { node: ["--expose-gc"] });
	expect([code, stderr]).toEqual([0, ""]);
	expect(report).toEqual({
		texts: ["from a worker", "from a worker"],
		path: "ERR_NEARFAR_CLUSTER",
		twice: ["ERR_SERVER_ALREADY_LISTEN", "listens"],
		left: 0,
	});
});
