import { chmodSync, chownSync, copyFileSync, realpathSync } from "node:fs";
import { join } from "node:path";
import { fileCapabilities } from "@nearfar/caps";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { isRoot, needs, skipUnless } from "../../../../test/needs.ts";
import { run, Sandbox, type SandboxOptions } from "../../src/index.ts";
import "../attempts.ts"; // it opens what lives as long as the process
import { hashOf } from "./hash.ts";
import { rows } from "./rows.ts";
import { attemptsOutside, endScene, makeScene, type Outcomes, programs, python, type Scene } from "./scene.ts";
import { showTable } from "./table.ts";

const hostile = join(programs, "hostile.py");

/** Adds programs that give privileges to whoever executes them outside. */
function addPrograms(shown: string): void {
	for (const name of ["setuid", "capable"]) copyFileSync(realpathSync("/usr/bin/cat"), join(shown, name));
	chownSync(join(shown, "setuid"), 1, 1);
	chmodSync(join(shown, "setuid"), 0o4755);
	chmodSync(join(shown, "capable"), 0o755);
	fileCapabilities.write(join(shown, "capable"), { permitted: ["netRaw"], inheritable: ["netRaw"] });
}

/** The options under which the attempts are made. */
function optionsFor({ work, shown }: Scene): SandboxOptions {
	return {
		preset: "closed",
		read: ["/usr", "/bin?", "/sbin?", "/lib?", "/lib64?", "/etc", "/sys", shown, programs],
		write: [work],
		hide: [join(work, "keys")],
		protect: [".git/hooks"],
	};
}

async function makeAttempts(scene: Scene, more: SandboxOptions): Promise<Outcomes> {
	const given = JSON.stringify({ ...scene.given, victim: null });
	const { stdout } = (await run(python, [hostile, given], { ...optionsFor(scene), ...more })).check();
	return JSON.parse(stdout);
}

async function makeAttemptsInOpenSandbox(scene: Scene): Promise<Outcomes> {
	await using sandbox = await Sandbox.open(optionsFor(scene));
	const given = JSON.stringify({ ...scene.given, victim: null });
	return JSON.parse((await sandbox.run(python, [hostile, given])).check().stdout);
}

needs(`the program ${python.slice("/usr/bin/".length)}`).describe("attempts to get out", () => {
	let scene: Scene;
	let found: { outside: Outcomes; inside: Outcomes; open: Outcomes; unfiltered: Outcomes };
	let hashes: string[];

	beforeAll(async () => {
		process.env.NEARFAR_SECRET = "secret";
		scene = await makeScene("escape", ["unshare", "-Urmn"], false);
		if (isRoot) addPrograms(scene.shown);
		const outside = attemptsOutside("hostile.py", scene.given);
		const before = hashOf(scene.host);
		const inside = await makeAttempts(scene, {});
		const open = await makeAttemptsInOpenSandbox(scene);
		const unfiltered = await makeAttempts(scene, { syscalls: "all" });
		hashes = [before, hashOf(scene.host)];
		found = { outside, inside, open, unfiltered };
		showTable(rows, found);
	}, 120_000);

	afterAll(async () => {
		delete process.env.NEARFAR_SECRET;
		await endScene(scene);
	});

	test("every attempt of the program has a row, and each row an attempt", () => {
		expect(Object.keys(found.inside).toSorted()).toEqual(rows.map(({ attempt }) => attempt).toSorted());
	});

	test("no attempt changes the tree of the host: names, modes, owners, bytes, attributes", () => {
		expect(hashes[1]).toBe(hashes[0]);
	});

	describe.each([1, 2, 3, 4, 5, 6, 7, 8, 10, 11])("guarantee %i", (number) => {
		const own = rows.filter(({ guarantee }) => guarantee === number);
		test.each(own.map((row) => [row.attempt.replaceAll("_", " "), row] as const))("%s", (_, { attempt, byFilter }) => {
			const { outside, inside, open, unfiltered } = found;
			skipUnless(outside[attempt] === "done", `a host that allows it outside, and not ${outside[attempt]}`);
			expect([inside[attempt], open[attempt]]).not.toContain("done");
			// What the filter alone refuses shows that the filter is what refuses it.
			if (!byFilter) expect(unfiltered[attempt]).not.toBe("done");
		});
	});
});
