// `node scripts/workflows.mjs` checks .github/workflows: the rules of scripts/workflows/rules.mjs, actionlint, and zizmor.
// actionlint is built from its Go module, which takes a minute of CPU time, and zizmor comes from PyPI. Both stay in target/.
// A tool that cannot be had is skipped.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { line } from "./count.mjs";
import { root } from "./run.mjs";
import { workflowFaults } from "./workflows/rules.mjs";

const folder = join(root, ".github/workflows");
const counts = { passed: 0, failed: 0, skipped: 0 };
const files = readdirSync(folder).map((file) => join(folder, file));
const faults = files.flatMap((file) => workflowFaults(readFileSync(file, "utf8")).map((fault) => `${file}: ${fault}`));
for (const fault of faults) console.log(fault);
counts[faults.length === 0 ? "passed" : "failed"]++;

// The checksum database of Go has the hash of each version, so that the version alone pins the module.
const actionlint = tool("actionlint-1.7.12", "actionlint", (place) => ({
	command: "go",
	args: ["install", "github.com/rhysd/actionlint/cmd/actionlint@v1.7.12"],
	env: { GOBIN: place, GOTOOLCHAIN: "local" },
}));
lint(actionlint, ["-no-color", ...files]);

const pip = ["-m", "pip", "install", "-q", "--disable-pip-version-check", "--root-user-action", "ignore"];
const zizmor = tool("zizmor-1.32.0", "bin/zizmor", (place) => ({
	command: "python3",
	args: [...pip, "--no-deps", "--require-hashes", "--target", place, "-r", join(root, ".ci/zizmor.txt")],
}));
lint(zizmor, ["--offline", "--no-progress", "--persona=pedantic", folder]);

console.log(line(counts));
process.exitCode = counts.failed === 0 ? 0 : 1;

/** Returns the path of a program in target/, which `installer` describes the installation of, or undefined without it. */
function tool(name, program, installer) {
	const place = join(root, "target", name);
	if (existsSync(place)) return join(place, program);
	// The folder gets its name when all of it is there, so that a script that was killed leaves nothing half-made.
	const unfinished = `${place}.${process.pid}`;
	mkdirSync(unfinished, { recursive: true });
	const { command, args, env } = installer(unfinished);
	const { status, error, stderr } = spawnSync(command, args, { encoding: "utf8", env: { ...process.env, ...env } });
	if (status === 0) {
		renameSync(unfinished, place);
		return join(place, program);
	}
	rmSync(unfinished, { recursive: true });
	console.log(`${name} cannot be had: ${error?.message ?? stderr}`);
}

function lint(program, args) {
	if (!program) {
		counts.skipped++;
		return;
	}
	const { status } = spawnSync(program, args, { stdio: "inherit" });
	counts[status === 0 ? "passed" : "failed"]++;
}
