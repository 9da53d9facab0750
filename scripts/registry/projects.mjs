// Projects that install the packages from the registry.
import * as fs from "node:fs";
import { join } from "node:path";
import { root } from "../run.mjs";
import { execute } from "../runtimes/row.mjs";

/** The C library of this Node, as the names of slices have it. */
export const libc = process.report.getReport().header.glibcVersionRuntime ? "gnu" : "musl";

/** Makes an empty project with the smoke of scripts/runtimes. */
export function makeProject(project) {
	fs.mkdirSync(project, { recursive: true });
	// npm sbom needs a name and a version.
	const manifest = { name: "project", version: "1.0.0", private: true, type: "module" };
	fs.writeFileSync(join(project, "package.json"), JSON.stringify(manifest));
	fs.cpSync(join(root, "scripts/runtimes"), join(project, "smoke"), { recursive: true });
	fs.writeFileSync(join(project, "first-call.mjs"), FIRST_CALL);
	return project;
}

/** Runs a command in a project, as this user. Throws its output unless the command succeeds. */
export async function command(project, [file, ...args], home, env) {
	const { output, end } = await execute(file, args, { cwd: project, uid: process.getuid(), home, env });
	if (end !== "status 0") throw new Error(`${end}: ${[file, ...args].join(" ")}\n${output}`);
	return output;
}

/** Returns the names of the slices that a client has put into a project, in whatever layout. */
export function slicesIn(project) {
	const files = fs.readdirSync(project, { recursive: true }).join("\n");
	return [...new Set(files.match(/core-linux-(x64|arm64)-(gnu|musl)/g))];
}

/** Makes a first call with the installed packages, and returns `undefined`, or the `code` and the `fix` of its error. */
export async function firstCall(project, node, home) {
	const output = await command(project, [node, "first-call.mjs"], home);
	return JSON.parse(output.trim().split("\n").at(-1)).refusal;
}

const FIRST_CALL = `
import { run } from "@nearfar/process";
let refusal;
try {
	await run("true");
} catch ({ code, message, fix }) {
	refusal = { code, message, fix };
}
console.log(JSON.stringify({ refusal }));
`;

/** Makes the home of a user, and returns its path. */
export function makeHome(place, uid) {
	const home = join(place, `home-${uid}`);
	fs.mkdirSync(home, { recursive: true });
	if (process.getuid() === 0) fs.chownSync(home, uid, uid);
	return home;
}
