import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { fixturePath } from "../../../test/fixture.ts";

test("near, what belongs to the process is changed for Node as a whole", async () => {
	const file = fixturePath("process/whole-process");
	const { stdout } = await promisify(execFile)(process.execPath, [file]);
	expect(JSON.parse(stdout)).toEqual({
		subreaper: [true, true],
		noSubreaper: false,
		notDumpable: [false, 0],
		dumpable: [true, true],
		noHugePages: [true, "0"],
		hugePages: false,
	});
});
