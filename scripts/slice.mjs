// `node scripts/slice.mjs <platform|all>` builds addon and stub of a slice, puts them into its package, and holds the package
// against the gates. `--check` builds nothing. `--twice` builds each slice a second time in another folder, and compares the bytes.
import * as fs from "node:fs";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { line } from "./count.mjs";
import { temporaryFolder } from "./ending.mjs";
import { addonName, platforms, sliceFolder } from "./platforms.mjs";
import { root, run, stop } from "./run.mjs";
import { checkSlice } from "./slice/gates.mjs";
import { toolchain } from "./toolchain.mjs";

export { checkSlice };

/**
 * Builds slices, and puts the addon and the stub of each into its package. One cargo builds all of them, so that every processor
 * has work.
 *
 * @param {object[]} wanted - Rows of scripts/platforms.mjs.
 * @param {object} [places]
 * @param {string} [places.tree] - The folder with the crates.
 * @param {string} [places.target] - The target folder of cargo.
 * @param {(platform: object) => string} [places.folderOf] - Returns the folder that gets the two files.
 */
function buildSlices(wanted, { tree = root, target = join(root, "target/slices"), folderOf = sliceFolder } = {}) {
	const args = ["zigbuild", "--release", "--locked", "--package", "nearfar-node"];
	for (const { triple, glibc } of wanted) args.push("--target", glibc ? `${triple}.${glibc}` : triple);
	args.push("-Zbuild-std=std,panic_unwind", "-Zbuild-std-features=panic-unwind");
	run("cargo-zigbuild", args, { cwd: tree, env: toolchain(tree, target) });
	for (const platform of wanted) {
		const built = join(target, platform.triple);
		const folder = folderOf(platform);
		put(join(built, "release/libnearfar_node.so"), join(folder, addonName(platform)), 0o644);
		const [cpu] = platform.triple.split("-");
		put(join(built, "nearfar-stub", cpu, "nearfar-stub"), join(folder, "nearfar-stub"), 0o755);
	}
}

/** Copies a file by a rename: a running program may have the old bytes mapped. */
function put(from, to, mode) {
	const partial = `${to}.${process.pid}`;
	fs.copyFileSync(from, partial);
	fs.chmodSync(partial, mode);
	fs.renameSync(partial, to);
}

/** Builds slices once more, with the crates and the toolchain in another folder. Returns the names of the files that differ. */
function differences(wanted) {
	const place = temporaryFolder("slice-", join(root, "target"));
	const tree = join(place, "another/tree");
	const folderOf = ({ name }) => join(place, name);
	try {
		for (const name of ["Cargo.toml", "Cargo.lock", "crates"])
			fs.cpSync(join(root, name), join(tree, name), { recursive: true });
		linkToolchain(tree);
		for (const platform of wanted) fs.mkdirSync(folderOf(platform));
		buildSlices(wanted, { tree, target: join(tree, "target/slices"), folderOf });
		const isSame = (platform, name) =>
			fs.readFileSync(join(sliceFolder(platform), name)).equals(fs.readFileSync(join(folderOf(platform), name)));
		return new Map(
			wanted.map((platform) => {
				const names = [addonName(platform), "nearfar-stub"];
				return [platform, names.filter((name) => !isSame(platform, name))];
			}),
		);
	} finally {
		fs.rmSync(place, { recursive: true, force: true });
	}
}

/** Puts the toolchain into another tree, by links to the same files. Caches and programs that name a folder are made anew. */
function linkToolchain(tree) {
	const [from, to] = [root, tree].map((place) => join(place, "target/toolchain"));
	fs.mkdirSync(to, { recursive: true });
	const names = fs.readdirSync(from).filter((name) => /^(rust|zig)-[\d.]+(-\w+)*$/.test(name));
	run("cp", ["--archive", "--link", ...names.map((name) => join(from, name)), to]);
}

/** Returns what is wrong with the package of a platform, after the builds. */
function faultsOf(platform, different) {
	const folder = sliceFolder(platform);
	const changed = different?.get(platform) ?? [];
	return [
		...checkSlice(folder, platform).map((fault) => `${relative(root, folder)}: ${fault}`),
		...changed.map((name) => `${name} differs in a second build: look for what a build writes into it`),
	];
}

function readCommandLine() {
	const known = ["all", ...platforms.map(({ name }) => name)];
	const usage = `usage: node scripts/slice.mjs [--check] [--twice] ${known.join("|")}`;
	try {
		const { values, positionals } = parseArgs({
			allowPositionals: true,
			options: { check: { type: "boolean" }, twice: { type: "boolean" } },
		});
		const wanted = platforms.filter(({ name }) => positionals.includes(name) || positionals.includes("all"));
		if (wanted.length === 0 || positionals.some((name) => !known.includes(name))) stop(usage);
		return { ...values, wanted };
	} catch (error) {
		stop(`${error.message}\n${usage}`);
	}
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
	const { wanted, check, twice } = readCommandLine();
	if (!check) buildSlices(wanted);
	const different = twice ? differences(wanted) : undefined;
	let failed = 0;
	for (const platform of wanted) {
		const faults = faultsOf(platform, different);
		console.log(`${platform.name}: ${faults.length === 0 ? "ok" : "refused"}`);
		for (const fault of faults) console.log(fault);
		if (faults.length > 0) failed++;
	}
	console.log(line({ passed: wanted.length - failed, failed, skipped: 0 }));
	if (failed > 0) process.exit(1);
}
