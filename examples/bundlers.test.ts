// Bundles and runs examples/bundlers/main.mjs, as docs/bundling.md says and otherwise. Bundlers that the project does not
// install are used where PATH has them: `npm i esbuild bun`, and `PATH=$PWD/node_modules/.bin:$PATH npm test -- examples`.
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect } from "vitest";
import { needs } from "../test/needs.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const place = mkdtempSync(join(tmpdir(), "nearfar-bundlers-"));
afterAll(() => rmSync(place, { recursive: true }));

// vitest installs vite, whose command is in no folder of commands.
const commands = join(place, "commands");
mkdirSync(commands);
const vitest = createRequire(createRequire(import.meta.url).resolve("vitest/package.json"));
symlinkSync(join(dirname(vitest.resolve("vite/package.json")), "bin/vite.js"), join(commands, "vite"));
process.env.PATH = [commands, join(root, "node_modules/.bin"), process.env.PATH].join(":");

describe("a bundle that keeps @nearfar external runs", () => {
	for (const [program, command] of [
		["esbuild", "sh esbuild.sh"],
		["bun", "sh bun.sh"],
		["ncc", "sh ncc.sh"],
		["rolldown", "rolldown --config rolldown.config.mjs"],
		["rollup", "rollup --config rollup.config.mjs"],
		["vite", "vite build --config vite.config.mjs"],
		["webpack-cli", "webpack-cli build --config webpack.config.mjs"],
		["tsup", "tsup --config tsup.config.mjs"],
	] as const) {
		needs(`the program ${program}`).test(program, () => {
			expect(bundleAndRun(program, command)).toEqual({ status: 0, stdout: "bundled\n", code: undefined });
		});
	}

	needs("a Node that builds single executables").test(
		"a single executable that node_modules lies beside",
		() => {
			const folder = project("executable");
			expect(command(folder, `"${process.execPath}" --build-sea executable.json`).status).toBe(0);
			symlinkSync(join(folder, "node_modules"), join(folder, "out/node_modules"));
			expect(command("/", join(folder, "out/main"))).toMatchObject({ status: 0, stdout: "bundled\n" });
			// Node copies itself, which is more than 100 MB, and reads the copy.
		},
		120_000,
	);
});

describe("a bundle with @nearfar inside says that it was bundled", () => {
	for (const [program, command] of [
		["rolldown", "rolldown main.mjs --platform node --format esm --file out/main.mjs"],
		["rolldown", "rolldown main.mjs --platform node --format cjs --file out/main.cjs"],
		["rolldown", "rolldown --config no-url.config.mjs"],
		["vite", "vite build --config inside.config.mjs"],
		["esbuild", "esbuild main.mjs --bundle --platform=node --format=esm --outfile=out/main.mjs"],
		["esbuild", "esbuild main.mjs --bundle --platform=node --format=cjs --outfile=out/main.cjs"],
		["bun", "bun build main.mjs --target=node --outfile out/main.mjs"],
	] as const) {
		needs(`the program ${program}`).test(command, () => {
			const { status, code } = bundleAndRun(program, command);
			expect([status, code]).toEqual([1, "ERR_NEARFAR_BUNDLED"]);
		});
	}
});

/** Makes the project of examples/bundlers in a folder of its own, with the packages installed. */
function project(name: string): string {
	const folder = mkdtempSync(join(place, `${name}-`));
	cpSync(join(root, "examples/bundlers"), folder, { recursive: true });
	mkdirSync(join(folder, "node_modules"));
	mkdirSync(join(folder, "out"));
	symlinkSync(join(root, "node_modules/@nearfar"), join(folder, "node_modules/@nearfar"));
	writeFileSync(join(folder, "package.json"), "{}");
	writeFileSync(
		join(folder, "no-url.config.mjs"),
		`export default {
			input: "main.mjs",
			platform: "node",
			transform: { define: { "import.meta.url": "undefined" } },
			output: { file: "out/main.cjs", format: "cjs" },
		};`,
	);
	writeFileSync(
		join(folder, "inside.config.mjs"),
		'export default { ssr: { noExternal: true }, build: { ssr: "main.mjs", outDir: "out" } };',
	);
	return folder;
}

function bundleAndRun(name: string, bundle: string) {
	const folder = project(name);
	const bundled = command(folder, bundle);
	expect([bundled.status, bundled.stderr.match(/error/i)]).toEqual([0, null]);
	const [file] = readdirSync(join(folder, "out")).filter((file) => /\.[cm]?js$/.test(file));
	const { status, stdout, stderr } = command(folder, `"${process.execPath}" out/${file}`);
	return { status, stdout, code: /code: '(\w+)'/.exec(stderr)?.[1] };
}

function command(cwd: string, text: string) {
	return spawnSync("sh", ["-c", text], { cwd, encoding: "utf8" });
}
