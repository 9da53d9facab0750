import { spawnSync } from "node:child_process";
import { expect } from "vitest";
import { fixturePath } from "../../../test/fixture.ts";
import { needs } from "../../../test/needs.ts";

/** Memory that the allocator and V8 keep for later. */
const SLACK = 48; // megabytes; 2000 results of a leak of 24 KiB each

needs("/proc").test(
	"guarantee 9: 2000 sandboxes leave no descriptor, process, mount, listener or memory behind",
	{ timeout: 600_000 },
	() => {
		const args = ["--expose-gc", fixturePath("sandbox/runs"), "200", "2000"];
		const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: "utf8" });
		expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
		const { before, after } = JSON.parse(stdout);
		const { megabytes, descriptors, children, ...held } = after;
		const { megabytes: used, descriptors: opened, children: started, ...heldBefore } = before;
		expect(held).toEqual(heldBefore);
		// What ends by itself a moment later may be in the count before.
		expect(descriptors).toBeLessThanOrEqual(opened);
		expect(children).toBeLessThanOrEqual(started);
		expect(megabytes).toBeLessThan(used + SLACK);
	},
);
