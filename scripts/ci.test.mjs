// Tests of .ci/run itself: how it adds up, and what it does when a part fails. It runs in an empty tree, in which programs stand in for
// those that check something.
import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import { delimiter, join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { temporaryFolder } from "./ending.mjs";
import { root } from "./run.mjs";

let tree;

beforeEach(() => {
	tree = temporaryFolder("nearfar-ci-");
	fs.chmodSync(tree, 0o755);
	for (const file of [".ci/run", "scripts/count.mjs"]) fs.cpSync(join(root, file), join(tree, file));
	write("package.json", "{}");
	for (const name of ["npm", "npx", "cargo", "cargo-deny"]) writeProgram(name, "true");
	spawnSync("git", ["init", "-q", tree]);
});

afterEach(() => fs.rmSync(tree, { recursive: true }));

function write(name, text) {
	fs.mkdirSync(join(tree, name, ".."), { recursive: true });
	fs.writeFileSync(join(tree, name), text);
}

function writeProgram(name, text) {
	write(`bin/${name}`, `#!/bin/bash\n${text}\n`);
	fs.chmodSync(join(tree, "bin", name), 0o755);
}

/** Runs .ci/run. Each script counts one check, and `script` is what the check of the registry does. */
function runCi(script) {
	const count = `exec '${process.execPath}' "$@"`;
	const one = 'echo "1 passed, 0 failed, 0 skipped"';
	writeProgram("node", `case "$*" in *count.mjs*) ${count};; *registry-check.mjs*) ${script};; *) ${one};; esac`);
	const env = { ...process.env, PATH: `${join(tree, "bin")}${delimiter}${process.env.PATH}` };
	const { status, stdout } = spawnSync(join(tree, ".ci/run"), { cwd: tree, env, encoding: "utf8" });
	return { status, stdout, last: stdout.trimEnd().split("\n").at(-1) };
}

const PATIENCE = 60_000; // milliseconds: each run starts some hundred programs

test(
	"the last line counts a check once, whether it runs beside the tests or not",
	() => {
		const passed = (script) => Number(/^(\d+) passed, 0 failed/.exec(runCi(script).last)?.[1]);
		expect(passed('echo "1001 passed, 0 failed, 0 skipped"') - passed('echo "1 passed, 0 failed, 0 skipped"')).toBe(
			1000,
		);
	},
	PATIENCE,
);

test(
	"a step that fails beside the tests fails the run, and the later steps run",
	() => {
		const { status, stdout, last } = runCi('echo "0 passed, 1 failed, 0 skipped"; exit 3');
		expect(status).toBe(1);
		expect(stdout).toContain("-- registry: ");
		expect(stdout).toContain("failed step: registry\n");
		expect(stdout).toContain("-- runtimes and test runners: ");
		expect(last).toContain(" 1 failed");
	},
	PATIENCE,
);

test(
	"a run whose checks beside the tests were killed fails",
	() => {
		const { status, stdout } = runCi("kill -KILL $(ps -o pgid= -p $$)");
		expect(status).toBe(1);
		expect(stdout).toContain("failed step: the checks beside the tests, which ended early");
	},
	PATIENCE,
);
