// The clients that install packages of npm: how each installs from a registry, without running a script of a package.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { bunTool, denoTool } from "../runtimes/rows.mjs";

const { arch } = process;

/**
 * `prepare` writes the files that a client reads its settings from. `install` returns the command that installs packages, and
 * `node`, where this Node is too old for the client, names the row of the Node that runs that command. `run` returns the command
 * that runs a program with a Node, where that is not the Node alone.
 */
export const clients = [
	...[10, 11, 12].map((major) => ({
		name: `npm ${major}`,
		tool: { name: `npm-${major}`, packages: [`npm@${major}`] },
		node: major === 12 ? "Node 24" : undefined,
		prepare: writeNpmrc,
		install: ({ folder, node, packages }) => [
			...[node, join(folder, "node_modules/npm/bin/npm-cli.js"), "install", "--ignore-scripts"],
			...["--no-audit", "--no-fund", ...packages],
		],
	})),
	{
		name: "pnpm 10",
		tool: { name: "pnpm-10", packages: ["pnpm@10"] },
		prepare: writeNpmrc,
		install: ({ folder, node, packages }) => {
			const pnpm = join(folder, "node_modules/pnpm/bin/pnpm.cjs");
			return [node, pnpm, "add", "--ignore-scripts", ...packages];
		},
	},
	{
		name: "pnpm, the newest",
		tool: { name: "pnpm-newest", packages: ["pnpm@latest"] },
		prepare: (project, registry) => {
			writeNpmrc(project, registry);
			// pnpm holds versions back for a day, and these are some seconds old.
			writeFileSync(join(project, "pnpm-workspace.yaml"), "minimumReleaseAge: 0\n");
		},
		install: ({ folder, packages }) => {
			const pnpm = join(folder, `node_modules/@pnpm/exe.linux-${arch}/pnpm`);
			return [pnpm, "add", "--ignore-scripts", ...packages];
		},
	},
	...["node-modules", "pnp"].map((linker) => ({
		name: `yarn 4, ${linker}`,
		tool: { name: "yarn-4", packages: ["@yarnpkg/cli-dist@4"] },
		prepare: (project, registry) => {
			const settings = {
				nodeLinker: linker,
				npmRegistryServer: registry,
				unsafeHttpWhitelist: ["127.0.0.1"],
				enableScripts: false,
				enableTelemetry: false,
				enableGlobalCache: false,
				// yarn holds versions back for a day, and these are some seconds old.
				npmMinimalAgeGate: 0,
			};
			writeFileSync(join(project, ".yarnrc.yml"), JSON.stringify(settings));
			writeFileSync(join(project, "yarn.lock"), "");
		},
		install: ({ folder, node, packages }) => [node, yarn(folder), "add", ...packages],
		// Packages lie in archives, which only a Node with yarn's loader can read.
		...(linker === "pnp" && { run: ({ folder, node, args }) => [node, yarn(folder), "node", ...args] }),
	})),
	{
		name: "Bun",
		tool: bunTool,
		prepare: writeNpmrc,
		install: ({ folder, packages }) => [join(folder, bunTool.bin), "add", "--ignore-scripts", ...packages],
	},
	{
		name: "Deno",
		// Deno installs the packages for every C library, as it does not look at `libc` of a manifest.
		ignoresLibc: true,
		tool: denoTool,
		prepare: (project, registry) => {
			writeNpmrc(project, registry);
			writeFileSync(join(project, "deno.json"), JSON.stringify({ nodeModulesDir: "auto" }));
		},
		install: ({ folder, packages }) => [
			join(folder, denoTool.bin),
			// Deno holds versions back for a day, and these are some seconds old.
			...["add", "--minimum-dependency-age=0", ...packages.map((name) => `npm:${name}`)],
		],
	},
];

function yarn(folder) {
	return join(folder, "node_modules/@yarnpkg/cli-dist/bin/yarn.js");
}

function writeNpmrc(project, registry) {
	writeFileSync(join(project, ".npmrc"), `registry=${registry}\n`);
}
