// `node scripts/slice.mjs <platform|all>` builds addon and stub of a slice, puts them into its package, and holds the package
// against the gates. `--check` builds nothing. `--twice` builds each slice a second time in another folder, and compares the bytes.
import * as fs from "node:fs";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { line } from "./count.mjs";
import { addonName, platforms, sliceFolder } from "./platforms.mjs";
import { root, run, stop } from "./run.mjs";
import { checkSlice } from "./slice/gates.mjs";
import { toolchain } from "./toolchain.mjs";

export { checkSlice };

const cpus = { x64: "x86_64", arm64: "aarch64" };

/**
 * Builds a slice, and puts addon and stub into its package.
 *
 * @param {object} platform - A row of scripts/platforms.mjs.
 * @param {object} [places]
 * @param {string} [places.tree] - The folder with the crates.
 * @param {string} [places.target] - The target folder of cargo.
 * @param {string} [places.folder] - The folder that gets the two files.
 */
export function slice(
	platform,
	{ tree = root, target = join(root, "target/slices"), folder = sliceFolder(platform) } = {},
) {
	const { env, target: zigTarget } = toolchain(platform, tree, target);
	const args = ["zigbuild", "--release", "--locked", "--package", "nearfar-node", "--target", zigTarget];
	run("cargo-zigbuild", [...args, "-Zbuild-std=std,panic_unwind", "-Zbuild-std-features=panic-unwind"], {
		cwd: tree,
		env,
	});
	const built = join(target, platform.triple);
	put(join(built, "release/libnearfar_node.so"), join(folder, addonName(platform)), 0o644);
	put(join(built, "nearfar-stub", cpus[platform.cpu], "nearfar-stub"), join(folder, "nearfar-stub"), 0o755);
}

/** Copies a file by a rename: a running program may have the old bytes mapped. */
function put(from, to, mode) {
	const partial = `${to}.${process.pid}`;
	fs.copyFileSync(from, partial);
	fs.chmodSync(partial, mode);
	fs.renameSync(partial, to);
}

/** Builds a slice once more, with the crates and the toolchain in another folder, and returns the files that differ. */
function differences(platform) {
	const folder = fs.mkdtempSync(join(root, "target/slice-"));
	const tree = join(folder, "another/tree");
	try {
		for (const name of ["Cargo.toml", "Cargo.lock", "crates"])
			fs.cpSync(join(root, name), join(tree, name), { recursive: true });
		linkToolchain(tree);
		slice(platform, { tree, target: join(tree, "target/slices"), folder });
		const names = [addonName(platform), "nearfar-stub"];
		return names.filter((name) => {
			const [one, other] = [sliceFolder(platform), folder].map((place) => fs.readFileSync(join(place, name)));
			return !one.equals(other);
		});
	} finally {
		fs.rmSync(folder, { recursive: true, force: true });
	}
}

/** Puts the toolchain into another tree, by links to the same files. Caches and programs that name a folder are made anew. */
function linkToolchain(tree) {
	const [from, to] = [root, tree].map((place) => join(place, "target/toolchain"));
	fs.mkdirSync(to, { recursive: true });
	const names = fs.readdirSync(from).filter((name) => /^(rust|zig)-[\d.]+(-\w+)?$/.test(name));
	run("cp", ["--archive", "--link", ...names.map((name) => join(from, name)), to]);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
	const options = process.argv.slice(2).filter((argument) => argument.startsWith("--"));
	const names = process.argv.slice(2).filter((argument) => !argument.startsWith("--"));
	const wanted = platforms.filter(({ name }) => names.includes(name) || names.includes("all"));
	const known = ["all", ...platforms.map(({ name }) => name)];
	if (
		wanted.length === 0 ||
		names.some((name) => !known.includes(name)) ||
		options.some((o) => !["--check", "--twice"].includes(o))
	)
		stop(`usage: node scripts/slice.mjs [--check] [--twice] ${known.join("|")}`);
	let failed = 0;
	for (const platform of wanted) {
		const start = performance.now();
		if (!options.includes("--check")) slice(platform);
		const folder = sliceFolder(platform);
		const faults = checkSlice(folder, platform);
		if (options.includes("--twice"))
			faults.push(
				...differences(platform).map(
					(name) => `${name} differs in a second build: look for what a build writes into it`,
				),
			);
		const seconds = Math.round((performance.now() - start) / 1000);
		const size = fs.existsSync(join(folder, addonName(platform)))
			? fs.statSync(join(folder, addonName(platform))).size
			: 0;
		console.log(`${platform.name}: ${size} bytes, ${seconds} s`);
		for (const fault of faults) console.log(`${relative(root, folder)}: ${fault}`);
		if (faults.length > 0) failed++;
	}
	console.log(line({ passed: wanted.length - failed, failed, skipped: 0 }));
	if (failed > 0) process.exit(1);
}
