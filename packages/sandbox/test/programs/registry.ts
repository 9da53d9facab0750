import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A registry of npm on a port of the host's loopback. */
export interface Registry {
	readonly port: number;
	/** The paths that it was asked for. */
	readonly asked: readonly string[];
	close(): void;
}

/** Starts a registry, and makes a project in an empty folder that needs its packages. */
export async function startRegistry(project: string): Promise<Registry> {
	const asked: string[] = [];
	const answers = new Map<string, string | Buffer>();
	const server = createServer(({ url = "" }, response) => {
		asked.push(url);
		const answer = answers.get(url);
		if (answer === undefined) response.writeHead(404);
		response.end(answer);
	}).listen(0, "127.0.0.1");
	await once(server, "listening");
	const { port } = server.address() as AddressInfo;
	makePackages(answers, project, `http://127.0.0.1:${port}`);
	return {
		port,
		asked,
		close() {
			server.close();
			server.closeAllConnections();
		},
	};
}

/**
 * Makes the packages `left`, which has a program and a script that runs when it is installed, and `right`, which needs `left`. The
 * project needs `right`, and has a lock file.
 */
function makePackages(answers: Map<string, string | Buffer>, project: string, url: string): void {
	const at = mkdtempSync(join(tmpdir(), "nearfar-registry-"));
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
		const path = `/${name}/-/${name}-1.0.0.tgz`;
		const dist = { tarball: `${url}${path}`, integrity };
		const packument = { name, "dist-tags": { latest: "1.0.0" }, versions: { "1.0.0": { ...manifest, dist } } };
		answers.set(`/${name}`, JSON.stringify(packument));
		answers.set(path, bytes);
		lock[`node_modules/${name}`] = {
			version: "1.0.0",
			resolved: dist.tarball,
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
	rmSync(at, { recursive: true });
}
