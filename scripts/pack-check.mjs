// Packs every package as it would be published, has publint and attw check the files, installs them and uses them.
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { line } from "./count.mjs";
import { sourceImportsOf } from "./declarations.mjs";
import { root, run, stop } from "./run.mjs";
import { setup } from "./setup.mjs";

setup();
const folder = mkdtempSync(join(tmpdir(), "nearfar-pack-"));
process.on("exit", () => rmSync(folder, { recursive: true }));
const names = readdirSync(join(root, "packages")).map((name) => `@nearfar/${name}`);

const packed = join(folder, "packed");
run("pnpm", ["-r", "--filter", "./packages/*", "pack", "--pack-destination", packed]);
const checked = readdirSync(packed).map((file) => join(packed, file));
run("pnpm", ["pack", "--pack-destination", packed], { cwd: platformPackage() });

const consumer = join(folder, "consumer");
const tarballs = readdirSync(packed).map((file) => join(packed, file));
for (const tarball of checked) {
	run("publint", ["run", "--strict", tarball]);
	run("attw", ["--profile", "esm-only", tarball]);
}
console.log(`publint and attw: ${checked.length} packages ok`);
write("package.json", JSON.stringify({ private: true }));
run("npm", ["install", "--ignore-scripts", "--no-audit", "--no-fund", ...tarballs], { cwd: consumer });
const foreign = readdirSync(join(consumer, "node_modules")).filter((name) => !name.startsWith("."));
if (foreign.join() !== "@nearfar") stop(`the packages install something else than @nearfar: ${foreign}`);
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
	...["nodenext", "node16"].map((module) => [`by tsc (${module})`, "tsc", [...types, "--module", module, "use.mts"]]),
	["by tsc (bundler)", "tsc", [...types, "--module", "esnext", "--moduleResolution", "bundler", "use.mts"]],
];
for (const [how, command, args] of uses) {
	run(command, args, { cwd: consumer, timeout: 60_000 });
	console.log(`packed packages used ${how}: ok`);
}
console.log(line({ passed: 2 * checked.length + uses.length, failed: 0, skipped: 0 }));

/** Makes the package of the addon for this machine, as `napi create-npm-dirs` and `napi artifacts` do at a release. */
function platformPackage() {
	const native = join(root, "packages/core/native");
	const addon = readdirSync(native).find((file) => file.endsWith(".node"));
	const [, platform] = addon.split(".");
	const directory = join(folder, "platform");
	const { version } = JSON.parse(readFileSync(join(root, "packages/core/package.json"), "utf8"));
	mkdirSync(directory);
	const files = [addon, "nearfar-stub"];
	for (const file of files) copyFileSync(join(native, file), join(directory, file));
	const manifest = {
		name: `@nearfar/core-${platform}`,
		version,
		main: addon,
		files,
	};
	writeFileSync(join(directory, "package.json"), JSON.stringify(manifest));
	return directory;
}

function write(name, text) {
	mkdirSync(consumer, { recursive: true });
	writeFileSync(join(consumer, name), text);
}
