// Packs every package as a release does, checks the files, has publint and attw check them, installs them and uses them. The
// script needs no registry: scripts/registry-check.mjs does what needs one.
import { copyFileSync, cpSync, existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { line } from "./count.mjs";
import { sourceImportsOf } from "./declarations.mjs";
import { temporaryFolder } from "./ending.mjs";
import { addonName, platforms, sliceFolder } from "./platforms.mjs";
import { readPackages } from "./release/packages.mjs";
import { pack, packedFaults } from "./release/packed.mjs";
import { root, run, stop } from "./run.mjs";
import { setup } from "./setup.mjs";

setup();
const folder = temporaryFolder("nearfar-pack-");
const packed = pack(root, readPackages(root), join(folder, "packed")).filter(({ isSlice }) => !isSlice);
const hasExports = ({ manifest }) => "." in manifest.exports; // a command has none
const names = packed.filter(hasExports).map(({ name }) => name);
const faults = packed.flatMap((each) => packedFaults(each, each.version));
if (faults.length > 0) stop(faults.join("\n"));
const packages = packed.map(({ tarball }) => tarball);
for (const each of packed) {
	run("publint", ["run", "--strict", each.tarball]);
	if (hasExports(each)) run("attw", ["--profile", "esm-only", each.tarball]);
}
console.log(`files, publint and attw: ${packages.length} packages ok`);

// attw looks for types, and a slice has none.
const native = join(root, "packages/core/native");
const slices = join(folder, "slices");
for (const platform of platforms) run("pnpm", ["pack", "--pack-destination", slices], { cwd: sliceCopy(platform) });
for (const tarball of tarballsIn(slices)) run("publint", ["run", "--strict", tarball]);
console.log(`publint: ${platforms.length} slices ok`);

const consumer = join(folder, "consumer");
const own = platforms.find((platform) => existsSync(join(native, addonName(platform))));
const tarballs = [...packages, ...tarballsIn(slices).filter((file) => file.includes(`-${own.name}-`))];
write("package.json", JSON.stringify({ private: true }));
run("npm", ["install", "--ignore-scripts", "--no-audit", "--no-fund", ...tarballs], { cwd: consumer });
const foreign = readdirSync(join(consumer, "node_modules")).filter((name) => !name.startsWith("."));
if (foreign.join() !== "@nearfar,nearfar") stop(`the packages install something else than @nearfar: ${foreign}`);
const dangling = sourceImportsOf(join(consumer, "node_modules/@nearfar"));
if (dangling.length > 0) stop(`declarations import sources:\n${dangling.join("\n")}`);

const use = `
	for (const [name, exports] of Object.entries(packages))
		if (Object.keys(exports).length === 0) throw new Error(name + " exports nothing");
	const task = await packages["@nearfar/core"].Task.clone();
	const child = task.exec("/bin/true", ["true"]);
	const { code } = await child.exited;
	if (code !== 0) throw new Error("/bin/true exited with " + code);
`;
const imports = names.map((name) => `${JSON.stringify(name)}: await import("${name}"),`).join("\n");
const requires = names.map((name) => `${JSON.stringify(name)}: require("${name}"),`).join("\n");
write("use.mjs", `const packages = {\n${imports}\n};\n${use}`);
write("use.cjs", `const packages = {\n${requires}\n};\n(async () => {${use}})();`);
copyFileSync(join(root, "scripts/runtimes/types.mts"), join(consumer, "use.mts"));

// Checks the types as a strict user would, without the tsconfig of this tree.
const types = ["--noEmit", "--strict", "--target", "es2022"];
types.push("--lib", "es2023,esnext.disposable", "--types", "node", "--typeRoots", join(root, "node_modules/@types"));
const uses = [
	["as an ES module", process.execPath, ["use.mjs"]],
	["through require", process.execPath, ["use.cjs"]],
	["as a command", "npx", ["nearfar", "run", "true"]],
	...["nodenext", "node16"].map((module) => [`by tsc (${module})`, "tsc", [...types, "--module", module, "use.mts"]]),
	["by tsc (bundler)", "tsc", [...types, "--module", "esnext", "--moduleResolution", "bundler", "use.mts"]],
];
for (const [how, command, args] of uses) {
	run(command, args, { cwd: consumer, timeout: 60_000 });
	console.log(`packed packages used ${how}: ok`);
}
console.log(line({ passed: 3 * packages.length + platforms.length + uses.length, failed: 0, skipped: 0 }));

function tarballsIn(place) {
	return readdirSync(place).map((file) => join(place, file));
}

/**
 * Copies the slice of a platform, and puts the addon and the stub of this machine in place of files that are not built. Here
 * the manifests are checked: scripts/slice.mjs holds the files against their gates.
 */
function sliceCopy(platform) {
	const copy = join(folder, platform.name);
	cpSync(sliceFolder(platform), copy, { recursive: true });
	const addon = readdirSync(native).find((file) => file.endsWith(".node"));
	for (const [from, to] of [
		[addon, addonName(platform)],
		["nearfar-stub", "nearfar-stub"],
	])
		if (!existsSync(join(copy, to))) copyFileSync(join(native, from), join(copy, to));
	return copy;
}

function write(name, text) {
	mkdirSync(consumer, { recursive: true });
	writeFileSync(join(consumer, name), text);
}
