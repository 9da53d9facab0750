// The gates before anything is packed: the state of the tree, the manifests and the slices. Each function returns its faults,
// sentences that say what to do.

import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { basename, join, relative } from "node:path";
import { platforms } from "../platforms.mjs";

/** Returns the faults of the clone: a change that is not committed, another branch than main, and a tag of another commit. */
export function gitFaults(tree, version) {
	const faults = [];
	const changed = git(tree, "status", "--porcelain").trim();
	if (changed) faults.push(`the tree has changes: commit or remove them\n${changed}`);
	const branch = git(tree, "rev-parse", "--abbrev-ref", "HEAD").trim();
	if (branch !== "main") faults.push(`releases are made on main, and this is ${branch}: check out main`);
	const tagged = git(tree, "rev-list", "-n1", "--ignore-missing", `refs/tags/v${version}`).trim();
	const head = git(tree, "rev-parse", "HEAD").trim();
	if (tagged && tagged !== head)
		faults.push(`v${version} is the tag of ${tagged}, and not of ${head}: add a changeset and run \`npm run version\``);
	return faults;
}

/** Makes the tag of a release, unless the tag exists, and returns its name. */
export function tagRelease(tree, version) {
	const tag = `v${version}`;
	if (!git(tree, "tag", "--list", tag).trim()) git(tree, "tag", tag);
	return tag;
}

/** Returns the faults of versions, change logs, changesets and manifests. */
export function manifestFaults(tree, packages) {
	const faults = changesetFaults(join(tree, ".changeset"));
	const [{ name: first, version }] = packages;
	if (version === "0.0.0") faults.push("the version is 0.0.0: run `npm run version`, which takes the changesets");
	for (const { folder, isSlice, manifest, name } of packages) {
		const say = (text) => faults.push(`${relative(tree, folder)}/package.json: ${text}`);
		if (manifest.version !== version) say(`the version is ${manifest.version}, and that of ${first} is ${version}`);
		if (manifest.private) say("the package is private, and would not be published");
		if (manifest.publishConfig?.access !== "public") say('publishConfig.access has to be "public"');
		if (manifest.publishConfig?.registry) say("publishConfig.registry would be stronger than --registry: remove it");
		if (isSlice && manifest.publishConfig?.executableFiles?.join() !== "./nearfar-stub")
			say('publishConfig.executableFiles has to be ["./nearfar-stub"], or tasks cannot be started');
		for (const script of ["preinstall", "install", "postinstall", "prepare"])
			if (manifest.scripts?.[script]) say(`no package has an install script, and this has ${script}`);
		const log = join(folder, "CHANGELOG.md");
		if (!existsSync(log) || !readFileSync(log, "utf8").includes(`\n## ${version}\n`))
			faults.push(`${relative(tree, log)} has no heading ${version}: \`npm run version\` writes it`);
		if (name === "@nearfar/core") faults.push(...optionalFaults(manifest, packages));
	}
	return faults;
}

/** Returns a fault if there are changesets that `changeset version` has not taken yet. */
function changesetFaults(folder) {
	const before = join(folder, "pre.json");
	// In pre mode the changesets stay until the end of that mode, and pre.json lists those that were taken.
	const taken = existsSync(before) ? JSON.parse(readFileSync(before, "utf8")).changesets : [];
	const pending = readdirSync(folder)
		.filter((file) => file.endsWith(".md") && file !== "README.md" && !taken.includes(basename(file, ".md")))
		.map((file) => `.changeset/${file}`);
	if (pending.length === 0) return [];
	return [`changesets are pending: run \`npm run version\` and commit the result\n${pending.join("\n")}`];
}

/** Returns a fault where core does not name each slice as an optional dependency of exactly its version. */
function optionalFaults({ optionalDependencies = {} }, packages) {
	const slices = packages.filter(({ isSlice }) => isSlice).map(({ name }) => name);
	const wanted = slices.map((name) => `${name}: workspace:*`).sort();
	const named = Object.entries(optionalDependencies).map((entry) => entry.join(": "));
	if (named.sort().join() === wanted.join()) return [];
	return [`packages/core/package.json: optionalDependencies have to be ${wanted.join(", ")}`];
}

/** Returns the faults of the slices: one that is missing, and those that `checkSlice` of scripts/slice.mjs finds. */
export async function sliceFaults(packages, checkSlice) {
	const faults = [];
	for (const platform of platforms) {
		const slice = packages.find(({ isSlice, folder }) => isSlice && basename(folder) === platform.name);
		if (!slice) faults.push(`packages/core/npm/${platform.name} is missing: restore it from git`);
		else
			faults.push(
				...(await checkSlice(slice.folder, platform)).map((fault) => `packages/core/npm/${platform.name}: ${fault}`),
			);
	}
	return faults;
}

function git(tree, ...args) {
	const { status, stdout, stderr, error } = spawnSync("git", args, { cwd: tree, encoding: "utf8" });
	if (status !== 0) throw new Error(`git ${args.join(" ")}: ${error?.message ?? stderr.trim()}`);
	return stdout;
}
