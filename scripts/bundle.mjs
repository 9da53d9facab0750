// Writes the JavaScript of the package in the current folder, as few files: a program that imports the package waits for
// each file and each byte. Core has two files. dist/index.js has all state, so that state exists once, and
// dist/internal.js has the tables of flags.
import { chmodSync, existsSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { basename, join } from "node:path";
import { rolldown } from "rolldown";
import { rewriteDeclarations } from "./declarations.mjs";

const folder = process.cwd();
const dist = join(folder, "dist");
const { bin, exports } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
const files = basename(folder) === "core" ? await core() : bin ? commands() : entries();
for (const [file, code] of Object.entries(files)) await write(file, code);
if (bin) for (const path of Object.values(bin)) chmodSync(join(folder, path), 0o755); // as npm does when it installs them
for (const name of readdirSync(dist)) {
	const known = name in files || name.slice(0, -".map".length) in files;
	if (/\.js(\.map)?$/.test(name) && !known) rmSync(join(dist, name));
}
// tsc leaves the declarations of sources that are gone, and they would be published.
for (const name of readdirSync(dist, { recursive: true })) {
	const source = name.replace(/\.d\.ts(\.map)?$/, ".ts");
	if (source !== name && !existsSync(join(folder, "src", source))) rmSync(join(dist, name));
}
rewriteDeclarations(dist);

async function core() {
	// In dist/index.js the names for the other packages begin with `internal_`, so that no user takes them for public.
	const shared = await exportsOf("src/shared.ts");
	const lent = shared.map((name) => `${name} as internal_${name}`);
	const borrowed = shared.map((name) => `internal_${name} as ${name}`);
	return {
		"index.js": `export * from "./index.ts"; export { ${lent} } from "./shared.ts";`,
		"internal.js": `export * from "./addon/flags.generated.ts"; export { ${borrowed} } from "./index.js";`,
	};
}

/** Each entry of the package is one file. What two entries share is in both of them. */
function entries() {
	const sources = Object.values(exports).filter((entry) => entry["nearfar-source"]);
	return Object.fromEntries(
		sources.map((entry) => [
			basename(entry.default),
			`export * from "${entry["nearfar-source"].replace("./src/", "./")}";`,
		]),
	);
}

/** A command is one file, too, with the name of its source. It imports packages when it needs them. */
function commands() {
	const names = Object.values(bin).map((path) => basename(path, ".js"));
	return Object.fromEntries(names.map((name) => [`${name}.js`, `#!/usr/bin/env node\nimport "./${name}.ts";`]));
}

async function write(file, code) {
	const bundle = await open(join(folder, "src", `bundle of ${file}`), code);
	await bundle.write({
		file: join(dist, file),
		codeSplitting: false,
		// The declarations have the documentation. Lines and names stay, because an uncaught error shows them.
		comments: { annotation: true, jsdoc: false, legal: false },
		sourcemap: true,
		sourcemapExcludeSources: true,
	});
	await bundle.close();
}

async function exportsOf(file) {
	const bundle = await open(join(folder, file));
	const { output } = await bundle.generate();
	await bundle.close();
	return output[0].exports;
}

/** Opens a bundle that begins at the file `input`, or at `code` in the place of that file. */
function open(input, code) {
	const entry = {
		name: "entry",
		resolveId: (id) => (code && id === input ? id : undefined),
		load: (id) => (code && id === input ? { code, moduleType: "js" } : undefined),
	};
	return rolldown({
		cwd: folder,
		input,
		plugins: [entry],
		external: ["./index.js", /^@nearfar\//],
		platform: "node",
		tsconfig: false,
		transform: { target: "es2022" },
		// `"sideEffects": false` in package.json is about whole files of dist. Inside a file, the side effects of sources have to
		// stay. Those of the bundler's own helpers do not: they import node:module.
		treeshake: { moduleSideEffects: [{ test: /\.ts$/, sideEffects: true }] },
	});
}
