// `npm test [-- filter]` sets up, runs all vitest projects together, and fails if a package ran no test.
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { countVitest, line } from "./count.mjs";
import { root } from "./run.mjs";
import { setup } from "./setup.mjs";

setup();
const args = process.argv.slice(2);
const temporary = mkdtempSync(join(tmpdir(), "nearfar-test-"));
const report = process.env.NEARFAR_TEST_JSON ?? join(temporary, "report.json");
rmSync(report, { force: true });
const vitest = spawnSync(
	process.execPath,
	[
		...["node_modules/vitest/vitest.mjs", "run", "--configLoader=runner"],
		...["--reporter=default", "--reporter=json", "--reporter=test/stuck.ts", `--outputFile.json=${report}`],
		...args,
	],
	{ cwd: root, stdio: "inherit" },
);

let failed = vitest.status !== 0;
if (existsSync(report)) {
	const counts = countVitest(report, root);
	if (args.length === 0) {
		for (const name of [
			...readdirSync(join(root, "packages")).map((name) => `packages/${name}`),
			"examples",
			"scripts",
		]) {
			if (counts.ran.has(name)) continue;
			console.error(`nearfar: ${name} ran no test`);
			failed = true;
		}
	}
	// The name of a test that is skipped ends with the reason.
	for (const skip of counts.skips) console.log(`skipped: ${skip}`);
	console.log(line(counts));
}
rmSync(temporary, { recursive: true });
process.exitCode = failed ? 1 : 0;
