// Writes the JavaScript of the package in whose folder it is run: a program that imports it waits for every file and
// every byte of it. Of core, dist/index.js has all that has state, so that state exists once, and dist/internal.js the
// tables of flags; every other package is one file.
import { readdirSync, rmSync } from "node:fs";
import { basename, join } from "node:path";
import { rolldown } from "rolldown";

const folder = process.cwd();
const dist = join(folder, "dist");
const files = basename(folder) === "core" ? await core() : { "index.js": 'export * from "./index.ts";' };
for (const [file, code] of Object.entries(files)) await write(file, code);
for (const name of readdirSync(dist)) {
	const known = name in files || name.slice(0, -".map".length) in files;
	if (/\.js(\.map)?$/.test(name) && !known) rmSync(join(dist, name));
}

async function core() {
	// The slices' part has names in dist/index.js that nobody takes for public ones.
	const shared = await exportsOf("src/shared.ts");
	const lent = shared.map((name) => `${name} as internal_${name}`);
	const borrowed = shared.map((name) => `internal_${name} as ${name}`);
	return {
		"index.js": `export * from "./index.ts"; export { ${lent} } from "./shared.ts";`,
		"internal.js": `export * from "./addon/flags.generated.ts"; export { ${borrowed} } from "./index.js";`,
	};
}

async function write(file, code) {
	const bundle = await open(join(folder, "src", `bundle of ${file}`), code);
	await bundle.write({
		file: join(dist, file),
		// Documentation is for the declarations. Lines and names stay, as an uncaught error shows its line.
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

/** A bundle that begins at a file, or at `code` in its place. */
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
		// Our "sideEffects": false is a promise to others, about whole files of dist.
		treeshake: { moduleSideEffects: true },
	});
}
