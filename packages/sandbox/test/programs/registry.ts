import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** A server for the programs of the sandbox. It says when it listens. */
const server = `
	const { createServer } = require("node:http");
	const answers = JSON.parse(require("node:fs").readFileSync("answers.json", "utf8"));
	createServer((request, response) => {
		const answer = answers[request.url];
		if (answer === undefined) return response.writeHead(404).end();
		response.end(Buffer.from(answer.replaceAll("HOST", request.headers.host), answer.startsWith("{") ? "utf8" : "base64"));
	}).listen(Number(process.argv[2]), "127.0.0.1", () => console.log("listening"));
`;

/**
 * Makes a registry of npm in a folder: `node server.cjs PORT` serves it there. It has the packages `left`, which has a program and a
 * script that runs when it is installed, and `right`, which needs `left`. The project needs `right`, and has a lock file.
 *
 * @param at - An empty folder for the registry.
 * @param project - An empty folder for the project.
 * @param url - Where the registry is for the project, without a slash at its end.
 */
export function makeRegistry(at: string, project: string, url: string): void {
	const answers: Record<string, string> = {};
	const lock: Record<string, object> = {};
	for (const [name, files, dependencies] of [
		[
			"left",
			{
				"bin.js": "#!/usr/bin/env node\nconsole.log('left ran');",
				"install.js": "require('node:fs').writeFileSync('installed', '')",
			},
			{},
		],
		["right", { "index.js": "module.exports = 'right';" }, { left: "1.0.0" }],
	] as const) {
		const manifest = {
			name,
			version: "1.0.0",
			dependencies,
			...(name === "left" && { bin: { left: "bin.js" }, scripts: { install: "node install.js" } }),
		};
		const folder = join(at, name, "package");
		mkdirSync(folder, { recursive: true });
		const all = { ...files, "package.json": JSON.stringify(manifest) };
		for (const [file, text] of Object.entries(all)) writeFileSync(join(folder, file), text, { mode: 0o755 });
		spawnSync("tar", ["-C", join(at, name), "-czf", `${folder}.tgz`, "package"]);
		const bytes = readFileSync(`${folder}.tgz`);
		const integrity = `sha512-${createHash("sha512").update(bytes).digest("base64")}`;
		const dist = { tarball: `http://HOST/${name}/-/${name}-1.0.0.tgz`, integrity };
		const packument = { name, "dist-tags": { latest: "1.0.0" }, versions: { "1.0.0": { ...manifest, dist } } };
		answers[`/${name}`] = JSON.stringify(packument);
		answers[`/${name}/-/${name}-1.0.0.tgz`] = bytes.toString("base64");
		lock[`node_modules/${name}`] = {
			version: "1.0.0",
			resolved: dist.tarball.replace("http://HOST", url),
			integrity,
			dependencies,
			...(name === "left" && { hasInstallScript: true, bin: { left: "bin.js" } }),
		};
	}
	const root = { name: "project", version: "1.0.0", dependencies: { right: "1.0.0" } };
	const write = (file: string, value: object) => writeFileSync(join(project, file), JSON.stringify(value));
	write("package.json", { ...root, scripts: { test: "left && node --test" } });
	write("package-lock.json", { ...root, lockfileVersion: 3, requires: true, packages: { "": root, ...lock } });
	writeFileSync(join(project, ".npmrc"), `registry=${url}/\n`);
	writeFileSync(
		join(project, "right.test.js"),
		`require("node:test")("right", () => { if (require("right") !== "right") throw new Error(); });`,
	);
	writeFileSync(join(at, "answers.json"), JSON.stringify(answers));
	writeFileSync(join(at, "server.cjs"), server);
}
