// Runs bubblewrap's own tests, unchanged, with nearfar-bwrap in its place: those of Debian's source packages of two versions, as root
// and as uid 1000. Each test that passes with the real bwrap of this host has to pass, and none may be skipped that it does not skip.
// `node scripts/bwrap-check.mjs` prints each line that differs. The last line counts.
import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import { join } from "node:path";
import { line } from "./count.mjs";
import { temporaryFolder } from "./ending.mjs";
import { root, run, stop } from "./run.mjs";
import { UnavailableError, unpackSource } from "./vm/debian.mjs";

const LIMIT = 600_000; // milliseconds
const built = "packages/nearfar/dist/nearfar-bwrap.js";

/** The tests of each release. The newer one refuses links as destinations, which nearfar-bwrap does when it is told to. */
const suites = [
	{ release: "bookworm", tests: ["test-run.sh", "test-specifying-userns.sh", "test-specifying-pidns.sh"] },
	{ release: "bookworm", tests: ["test-seccomp.py"], needs: "seccomp" },
	{ release: "trixie", tests: ["test-run.sh"] },
	{ release: "trixie", tests: ["test-sandbox.py"], options: ["--refuse-symlinks"] },
];

const counts = { passed: 0, failed: 0, skipped: 0 };

function skip(reason) {
	console.log(`skipped: ${reason}`);
	console.log(line({ passed: 0, failed: 0, skipped: 1 }));
	process.exit(0);
}

/** Returns the folder with the tests of each release. They lie outside of /tmp, over which they mount. */
function fetchTests(folder) {
	const found = new Map();
	for (const release of new Set(suites.map((suite) => suite.release))) {
		let source;
		try {
			source = unpackSource("bubblewrap", release);
		} catch (error) {
			if (!(error instanceof UnavailableError)) throw error;
			return skip(`Debian's archive cannot be reached: ${error.message.split("\n")[0]}`);
		}
		const copy = join(folder, release);
		fs.cpSync(source, copy, { recursive: true });
		run("cc", ["-o", join(copy, "tests/try-syscall"), join(copy, "tests/try-syscall.c"), `-I${copy}`]);
		found.set(release, join(copy, "tests"));
	}
	run("chmod", ["-R", "go+rX", folder]);
	return found;
}

/** Runs a test, and returns the state of each of its lines: "ok", "skip" or "not ok". */
function runTest(file, bwrap, as) {
	const command = [file.endsWith(".py") ? "/usr/bin/python3" : "bash", file];
	const env = { ...process.env, BWRAP: bwrap, BWRAP_MUST_WORK: "1", PATH: `/usr/bin:/usr/sbin:${process.env.PATH}` };
	const [program, ...args] = [...as, ...command];
	const { stdout, stderr, status } = spawnSync(program, args, {
		cwd: "/var/tmp",
		env,
		encoding: "utf8",
		timeout: LIMIT,
	});
	const lines = new Map();
	for (const [, not, text] of stdout.matchAll(/^(not )?ok\b[ \d-]*(.*)$/gm)) {
		const name = `${text} ${[...lines.keys()].filter((key) => key.startsWith(`${text} `)).length}`;
		lines.set(name, not ? "not ok" : /# ?SKIP/.test(text) ? "skip" : "ok");
	}
	return { lines, status, last: stderr.trim().split("\n").slice(-8).join("\n") };
}

const count = (lines, state) => [...lines.values()].filter((each) => each === state).length;

function compare(name, ours, real) {
	counts.skipped += count(ours.lines, "skip");
	counts.passed += count(ours.lines, "ok");
	const faults = [...real.lines].filter(([line, state]) => state === "ok" && ours.lines.get(line) !== "ok");
	for (const [line] of faults) console.log(`${name}: ${line} is ${ours.lines.get(line) ?? "missing"}`);
	// An older bwrap ends where a newer option is tested.
	const skips = real.status === 0 ? count(ours.lines, "skip") - count(real.lines, "skip") : 0;
	if (skips > 0) console.log(`${name}: ${skips} more skipped than with bwrap`);
	const early = ours.status !== 0 && count(ours.lines, "not ok") === 0;
	if (early || faults.length > 0) console.log(`${name} ended with ${ours.status}:\n${ours.last}`);
	counts.failed += faults.length + Math.max(0, skips) + (early && faults.length === 0 ? 1 : 0);
	const both = count(ours.lines, "not ok");
	const also = both > 0 && faults.length === 0 ? `, ${both} fail with bwrap too` : "";
	console.log(`${name}: ${count(ours.lines, "ok")} ok, ${count(ours.lines, "skip")} skipped${also}`);
}

/** The users, each with the command that becomes it. */
function users(folder) {
	if (process.getuid() !== 0) return [["this user", []]];
	const drop = [
		"setpriv",
		"--reuid",
		"1000",
		"--regid",
		"1000",
		"--clear-groups",
		"env",
		`HOME=${join(folder, "home")}`,
	];
	return [
		["root", []],
		["uid 1000", drop],
	];
}

/** Writes the program that stands for bwrap. */
function writeProgram(path, options) {
	fs.writeFileSync(path, `#!/bin/sh\nexec '${process.execPath}' '${join(root, built)}' ${options.join(" ")} "$@"\n`, {
		mode: 0o755,
	});
}

if (spawnSync("bwrap", ["--version"]).status !== 0)
	skip("bwrap is not installed, with which nearfar-bwrap is compared");
if (!fs.existsSync(join(root, built))) stop(`${built} is missing: npm run setup`);
const folder = temporaryFolder("nearfar-bwrap-", "/var/tmp");
fs.chmodSync(folder, 0o755);
fs.mkdirSync(join(folder, "home"));
if (process.getuid() === 0) fs.chownSync(join(folder, "home"), 1000, 1000);
const tests = fetchTests(folder);
for (const [user, as] of users(folder)) {
	for (const { release, tests: names, options = [], needs } of suites) {
		if (needs && spawnSync("/usr/bin/python3", ["-c", `import ${needs}`]).status !== 0) {
			console.log(`${names}: skipped, python3-${needs} is not installed`);
			counts.skipped++;
			continue;
		}
		// The shell tests look for the name that they have called in the text of --help.
		const program = options.length > 0 ? join(folder, "nearfar-bwrap") : join(root, built);
		if (options.length > 0) writeProgram(program, options);
		if (spawnSync(as[0] ?? "true", [...as.slice(1), program, "--version"]).status !== 0) {
			console.log(`${names} as ${user}: skipped, this user cannot reach ${root}`);
			counts.skipped++;
			continue;
		}
		for (const name of names) {
			const file = join(tests.get(release), name);
			compare(`${release} ${name} as ${user}`, runTest(file, program, as), runTest(file, "/usr/bin/bwrap", as));
		}
	}
}
console.log(line(counts));
process.exitCode = counts.failed > 0 ? 1 : 0;
