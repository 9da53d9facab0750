import { join } from "node:path";
import { expect } from "vitest";
import { runFixture } from "../../../test/fixture.ts";
import { groupsPlace, needs } from "../../../test/needs.ts";
import { inGroup } from "./group.ts";

const { test } = needs("a cgroup in which this user can make groups");
const limit = ["sh", "-c", 'ulimit -n 128; exec "$@"', "sh"];

interface Found {
	readonly name: string;
	/** How many descriptors the process could still open. */
	readonly free: number;
	/** The code of the error, or "". */
	readonly code: string;
	/** Whether the process has as many descriptors as before, and the group as many directories. */
	readonly isSame: boolean;
}

test("where descriptors run out, each use is EMFILE or works, and leaves no descriptor and no directory", () =>
	inGroup(async (group) => {
		const path = join(`${groupsPlace}`, group.name);
		const { report, stderr } = await runFixture("cgroup/scarce", { wrapper: limit, args: [path] });
		expect(stderr).toBe("");
		const found: Found[] = report;
		expect(found.filter(({ code, isSame }) => !isSame || !["", "EMFILE"].includes(code))).toEqual([]);
		const names = new Set(found.map(({ name }) => name));
		for (const name of names) {
			const codes = found.filter((each) => each.name === name).map(({ code }) => code);
			expect([codes.at(0), codes.at(-1)], name).toEqual(["", "EMFILE"]);
		}
	}));
