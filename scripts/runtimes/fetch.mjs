// Fetches runtimes and test runners from npm, each into a folder of its own.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const fetched = new Map();

/**
 * Fetches the packages of a tool, unless an earlier call or run has. The binaries lie in the packages for the platform, so that
 * no script of a package has to run.
 *
 * @returns {{ folder?: string, reason?: string }} The folder with `node_modules`, or why there is none.
 */
export function fetchTool(place, { name, packages, overrides }) {
	if (!packages) return {};
	const folder = join(place, "tools", name);
	if (!fetched.has(name)) fetched.set(name, existsSync(folder) ? { folder } : install(folder, packages, overrides));
	return fetched.get(name);
}

function install(folder, packages, overrides) {
	const partial = `${folder}.partial`;
	rmSync(partial, { recursive: true, force: true });
	mkdirSync(partial, { recursive: true });
	writeFileSync(join(partial, "package.json"), JSON.stringify({ private: true, overrides }));
	const once = ["--fetch-retries=1", "--fetch-retry-mintimeout=1000"];
	const args = ["install", "--ignore-scripts", "--no-audit", "--no-fund", "--no-package-lock", ...once, ...packages];
	const { status, stderr, error } = spawnSync("npm", args, { cwd: partial, encoding: "utf8", timeout: 300_000 });
	if (status === 0) {
		renameSync(partial, folder);
		return { folder };
	}
	rmSync(partial, { recursive: true, force: true });
	const code = /^npm error code (\S+)/m.exec(stderr ?? "")?.[1];
	return { reason: `npm cannot fetch ${packages[0]} (${code ?? error?.code ?? `status ${status}`})` };
}
