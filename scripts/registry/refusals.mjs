// Installations without the right slice: the code of the error, and that the command in its `fix` mends the installation.
import * as fs from "node:fs";
import { join } from "node:path";
import { npm11, prepare } from "./client.mjs";
import { command, firstCall, libc, makeProject, slicesIn } from "./projects.mjs";

const { arch } = process;
const foreignCpu = arch === "x64" ? "arm64" : "x64";
const foreignLibc = libc === "musl" ? "glibc" : "musl";
const own = `core-linux-${arch}-${libc}`;

/** `break` changes a complete installation where options of npm alone do not bring the fault about. */
export const refusals = [
	{ name: "--omit=optional", options: ["--omit=optional"], code: "ERR_NEARFAR_NOT_INSTALLED" },
	{ name: "a foreign --cpu", options: [`--cpu=${foreignCpu}`], code: "ERR_NEARFAR_NOT_INSTALLED" },
	{ name: "a foreign --libc", options: [`--libc=${foreignLibc}`], code: "ERR_NEARFAR_NOT_INSTALLED" },
	{ name: "a foreign --os", options: ["--os=darwin"], code: "ERR_NEARFAR_NOT_INSTALLED" },
	{
		name: "a tree copied from another architecture",
		options: [`--cpu=${foreignCpu}`],
		code: "ERR_NEARFAR_NOT_INSTALLED",
		break: (project) => {
			const copy = `${project}-copied`;
			fs.cpSync(project, copy, { recursive: true, verbatimSymlinks: true });
			return copy;
		},
	},
	{
		name: "a slice of another version",
		options: [],
		code: "ERR_NEARFAR_VERSION_MISMATCH",
		break: (project) => {
			const folder = join(project, "node_modules/@nearfar", own);
			const manifest = JSON.parse(fs.readFileSync(join(folder, "package.json"), "utf8"));
			const files = fs.readdirSync(folder);
			// As if somebody had copied the folder from another project: npm sees that by the time of the folder.
			fs.renameSync(folder, `${folder}-copied`);
			fs.mkdirSync(folder);
			for (const file of files) fs.renameSync(join(`${folder}-copied`, file), join(folder, file));
			fs.rmdirSync(`${folder}-copied`);
			fs.writeFileSync(join(folder, "package.json"), JSON.stringify({ ...manifest, version: "0.0.1" }));
			const later = Date.now() / 1000 + 1; // npm looks over a folder that is newer by up to 10 ms
			fs.utimesSync(folder, later, later);
		},
	},
];

/** Installs with the fault, expects the error, runs the first command of its `fix`, and expects that calls work. */
export async function checkRefusal({ name, options, code, break: change }, shared) {
	const { folder, node, home, url } = prepare(npm11, shared);
	const npm = (args) => [node, join(folder, "node_modules/npm/bin/npm-cli.js"), ...args];
	let project = makeProject(join(shared.place, name.replace(/\W+/g, "-")));
	npm11.prepare(project, url);
	await command(project, npm(["install", "--ignore-scripts", ...options, ...shared.packages]), home);
	project = change?.(project) ?? project;
	const error = await firstCall(project, process.execPath, home);
	if (error?.code !== code) throw new Error(`the code is ${error?.code} instead of ${code}: ${error?.message}`);
	const fix = error.fix.find((text) => text.startsWith("npm install "));
	if (!fix) throw new Error(`the error names no command: ${error.message}`);
	await command(project, npm(fix.split(" ").slice(1)), home);
	const left = await firstCall(project, process.execPath, home);
	if (left) throw new Error(`after \`${fix}\` there is ${slicesIn(project)}, and still ${left.message}`);
}
