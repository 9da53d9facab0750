import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { createInterface } from "node:readline";
import { expect, test } from "vitest";
import { root } from "./run.mjs";

/** A script with a temporary folder, and with a program in a process group of its own. */
const script = `
	import { setTimeout } from "node:timers/promises";
	import { temporaryFolder } from "${root}scripts/ending.mjs";
	import { execute } from "${root}scripts/runtimes/row.mjs";
	const folder = temporaryFolder("nearfar-ending-");
	execute("sh", ["-c", "echo $$ >pid; mv pid ready; exec sleep 1000"], { cwd: folder, uid: process.getuid(), home: folder });
	const { existsSync, readFileSync } = process.getBuiltinModule("node:fs");
	while (!existsSync(folder + "/ready")) await setTimeout(10);
	console.log(JSON.stringify({ folder, pid: Number(readFileSync(folder + "/ready", "utf8")) }));
	const how = process.argv[1];
	if (how === "exit") process.exit(3);
	if (how === "error") throw new Error("an error");
`;

/** Runs the script until it has printed a line, and sends it a signal, or lets it end in its own way. */
async function end(how) {
	const child = spawn(process.execPath, ["--input-type=module", "-e", script, how], {
		stdio: ["ignore", "pipe", "ignore"],
	});
	const closed = new Promise((resolve) => child.on("close", (...all) => resolve(all)));
	const [line] = await Promise.race([once(createInterface(child.stdout)), closed.then(() => [])]);
	if (how.startsWith("SIG")) child.kill(how);
	return { ...JSON.parse(line), end: await closed };
}

const once = (lines) => new Promise((resolve) => lines.once("line", (text) => resolve([text])));

/** Resolves when a process is gone. Its parent has ended, so that another process reaps it. */
async function gone(pid) {
	await expect.poll(() => isAlive(pid), { timeout: 10_000 }).toBe(false);
}

function isAlive(pid) {
	try {
		process.kill(pid, 0);
		return true;
	} catch {
		return false;
	}
}

test.each([
	["SIGINT", [null, "SIGINT"]],
	["SIGTERM", [null, "SIGTERM"]],
	["SIGHUP", [null, "SIGHUP"]],
	["exit", [3, null]],
	["error", [1, null]],
])("a script that ends by %s leaves no folder and no program behind", async (how, wanted) => {
	const { folder, pid, end: found } = await end(how);
	expect(found).toEqual(wanted);
	expect(existsSync(folder)).toBe(false);
	await gone(pid);
});
