// Runs the smoke in one way, as one user, and counts the lines that it prints for its cases.
import { spawn } from "node:child_process";
import { existsSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { atEnd } from "../ending.mjs";

const PATIENCE = 240_000; // milliseconds
const LAST_LINES = 30;

/** Returns how many cases passed, failed and were skipped, and the reasons of those that did not pass. */
export async function runSmoke(row, { place, folder, uid, home }) {
	const began = performance.now();
	const cwd = join(place, row.project ?? "project");
	if (row.types) linkNodeTypes(folder, cwd);
	const [file, ...args] = row.command({ folder, cwd, home });
	const { output, end } = await execute(file, args, { cwd, uid, home, env: row.env });
	const counts = { passed: 0, failed: 0, skipped: 0, faults: [], milliseconds: performance.now() - began };
	for (const [text, kind] of output.matchAll(/^\s*(passed|failed|skipped): .*$/gm)) {
		counts[kind]++;
		if (kind !== "passed") counts.faults.push(text.trim());
	}
	// A type checker prints nothing for its one case.
	if (row.types && end === "status 0") counts.passed++;
	if (end !== "status 0" || counts.passed === 0) {
		if (counts.failed === 0) counts.failed++;
		counts.faults.push(`${end}, and at last:\n${output.trimEnd().split("\n").slice(-LAST_LINES).join("\n")}`);
	}
	return counts;
}

function linkNodeTypes(folder, cwd) {
	for (const name of ["@types", "undici-types"]) {
		const link = join(cwd, "node_modules", name);
		if (!existsSync(link)) symlinkSync(join(folder, "node_modules", name), link);
	}
}

/** Runs a program as a user, in a process group of its own, and returns its output and how it ended. */
export function execute(file, args, { cwd, uid, home, env }) {
	const child = spawn(file, args, {
		cwd,
		...(process.getuid() === uid ? {} : { uid, gid: uid }),
		env: { PATH: process.env.PATH, HOME: home, NO_COLOR: "1", CI: "1", ...env },
		stdio: ["ignore", "pipe", "pipe"],
		detached: true, // a process group of its own
	});
	const kill = () => killGroup(child.pid);
	const timer = setTimeout(kill, PATIENCE);
	const forget = child.pid === undefined ? () => {} : atEnd(kill);
	let output = "";
	for (const stream of [child.stdout, child.stderr]) {
		stream.setEncoding("utf8");
		stream.on("data", (chunk) => {
			output += chunk;
		});
	}
	return new Promise((resolve) => {
		const finish = (end) => {
			clearTimeout(timer);
			forget();
			resolve({ output, end });
		};
		child.on("error", (error) => finish(error.message));
		child.on("close", (code, signal) => finish(signal ?? `status ${code}`));
	});
}

function killGroup(leader) {
	try {
		process.kill(-leader, "SIGKILL");
	} catch (error) {
		if (error.code !== "ESRCH") throw error; // the group has ended, and something outside of it holds the pipes
	}
}
