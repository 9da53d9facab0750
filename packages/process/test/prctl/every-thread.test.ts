import { expect } from "vitest";
import { runFixture } from "../../../../test/fixture.ts";
import { needs } from "../../../../test/needs.ts";

needs("/proc").test(
	"with { process: true } every thread of Node has no_new_privs, and the flag to keep capabilities",
	async () => {
		const end = await runFixture("process/every-thread");
		expect(end).toMatchObject({ code: 0, stderr: "" });
		expect(end.report).toEqual({ true: [true, true, true], false: [false, false, false], noNewPrivs: ["1"] });
	},
);
