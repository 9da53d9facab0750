// `node scripts/registry-check.mjs [--all]`: releases a copy of this tree into a registry on loopback, and installs the packages
// from there into empty folders, with each client of npm and with scripts disabled. Then the smoke of scripts/runtimes runs on
// what was installed: for every client on this Node, and once on every other runtime; with `--all` on every runtime for every
// client. Further checks: installations without the right slice, `vm.memfd_noexec=2`, and `npm sbom`.
//
// The slices have to be built: `node scripts/slice.mjs all`. Clients, runtimes and verdaccio come from npm into a temporary folder,
// or into the folder that NEARFAR_RUNTIMES names, which is kept. What cannot be fetched is skipped with its reason. The last line
// counts the checks.
import * as fs from "node:fs";
import { join } from "node:path";
import { line } from "./count.mjs";
import { temporaryFolder } from "./ending.mjs";
import { checkClient } from "./registry/client.mjs";
import { clients } from "./registry/clients.mjs";
import { copyWithVersion, missingSlices } from "./registry/copy.mjs";
import { command, makeHome } from "./registry/projects.mjs";
import { checkRefusal, refusals } from "./registry/refusals.mjs";
import { checks } from "./registry/results.mjs";
import { startVerdaccio, verdaccio } from "./registry/verdaccio.mjs";
import { readPackages } from "./release/packages.mjs";
import { run } from "./run.mjs";
import { fetchTool } from "./runtimes/fetch.mjs";

const all = process.argv.includes("--all");
const { check, counts, Skip } = checks();
process.umask(0o022); // another user runs what this script makes
const place = temporaryFolder("nearfar-registry-");
const tools = process.env.NEARFAR_RUNTIMES || place;
fs.chmodSync(place, 0o755);
const began = performance.now();
const registry = await check("a release into a registry on loopback, and the same release again", releaseCopy);
if (registry) await inPairs([...clients.map((client) => () => checkClient(client, shared())), ...refusalChecks()]);
console.log(`${((performance.now() - began) / 1000).toFixed(0)} s`);
console.log(line(counts));
process.exit(counts.failed === 0 ? 0 : 1);

/** Makes a version in a copy of the tree, starts a registry, and releases the copy into that registry. */
async function releaseCopy() {
	const missing = missingSlices();
	if (missing.length > 0) throw new Skip(`not built: ${missing.join(", ")} (\`node scripts/slice.mjs all\`)`);
	const { folder, reason } = fetchTool(tools, verdaccio);
	if (reason) throw new Skip(reason);
	const copy = join(place, "copy");
	const version = copyWithVersion(copy);
	run("pnpm", ["install", "--frozen-lockfile", "--lockfile-only", "--ignore-scripts"], { cwd: copy });
	const started = await startVerdaccio(place, folder);
	const release = [process.execPath, "scripts/release.mjs", "--registry", started.url];
	// The second run finds everything in the registry.
	for (const word of ["published", "the registry has it"]) {
		const output = await command(copy, release, makeHome(place, process.getuid()), {
			npm_config_userconfig: started.npmrc,
		});
		const found = output.split("\n").filter((text) => text.endsWith(`: ${word}`)).length;
		if (found !== readPackages(copy).length) throw new Error(`not every package: ${word}\n${output}`);
	}
	const tags = run("git", ["tag"], { cwd: copy }).trim();
	if (tags !== `v${version}`) throw new Error(`the release made the tags ${tags}`);
	const users = readPackages(copy).filter(({ isSlice }) => !isSlice);
	const packages = users.map(({ name }) => `${name}@${version}`);
	return { ...started, packages };
}

function shared() {
	return { all, check, Skip, place, tools, url: registry.url, packages: registry.packages };
}

function refusalChecks() {
	return refusals.map((refusal) => () => check(`npm 11: ${refusal.name}`, () => checkRefusal(refusal, shared())));
}

/** Runs functions, two at a time: clients wait for the registry a lot, and CI has two cores. */
async function inPairs(functions) {
	const rest = [...functions];
	const work = async () => {
		for (let next = rest.shift(); next; next = rest.shift()) await next();
	};
	await Promise.all([work(), work()]);
}
