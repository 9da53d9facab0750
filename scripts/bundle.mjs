// Writes the JavaScript of packages/core: a program that imports it waits for every file and every byte of it.
// dist/index.js has all that has state, so that state exists once; dist/internal.js has the tables of flags.
import { readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { rolldown } from "rolldown";
import { root } from "./run.mjs";

const core = join(root, "packages/core");
const dist = join(core, "dist");
// The slices' part has names in dist/index.js that nobody takes for public ones.
const shared = await exportsOf("src/shared.ts");
const lent = shared.map((name) => `${name} as internal_${name}`);
const borrowed = shared.map((name) => `internal_${name} as ${name}`);
const files = {
	"index.js": `export * from "./index.ts"; export { ${lent} } from "./shared.ts";`,
	"internal.js": `export * from "./flags.generated.ts"; export { ${borrowed} } from "./index.js";`,
};
for (const [file, code] of Object.entries(files)) await write(file, code);
for (const name of readdirSync(dist)) {
	const known = name in files || name.slice(0, -".map".length) in files;
	if (/\.js(\.map)?$/.test(name) && !known) rmSync(join(dist, name));
}

async function write(file, code) {
	const bundle = await open(join(core, "src", `bundle of ${file}`), code);
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
	const bundle = await open(join(core, file));
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
		cwd: core,
		input,
		plugins: [entry],
		external: ["./index.js"],
		platform: "node",
		tsconfig: false,
		transform: { target: "es2022" },
		// Our "sideEffects": false is a promise to others, about whole files of dist.
		treeshake: { moduleSideEffects: true },
	});
}
