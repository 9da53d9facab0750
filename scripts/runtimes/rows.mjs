// The rows of the table: each is a runtime or a test runner, and the way in which it runs the smoke.
import { readFileSync } from "node:fs";
import { join } from "node:path";

const { arch } = process;
const manifest = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8"));
const { vitest, "@types/node": nodeTypes } = manifest.devDependencies;

const bun = `@oven/bun-linux-${arch === "arm64" ? "aarch64" : arch}`;
const deno = `@deno/linux-${arch}-glibc`;
/** Bun and Deno, which are clients of npm, too. `bin` is the path of the program below the folder of the tool. */
export const bunTool = { name: "bun", packages: [`${bun}@1`], bin: `node_modules/${bun}/bin/bun` };
export const denoTool = {
	name: "deno",
	packages: [`${deno}@2`, `@types/node@${nodeTypes}`],
	bin: `node_modules/${deno}/deno`,
};

export const rows = [
	...[20, 22, 24, 26].map((version) => ({
		name: `Node ${version}`,
		tool: { name: `node-${version}`, packages: [`node-linux-${arch}@${version}`] },
		command: ({ folder }) => [join(folder, `node_modules/node-linux-${arch}/bin/node`), "smoke/smoke.mjs"],
	})),
	{
		name: "Bun",
		tool: bunTool,
		command: ({ folder }) => [join(folder, bunTool.bin), "smoke/smoke.mjs"],
	},
	{
		name: "Deno",
		tool: denoTool,
		command: ({ folder }) => [join(folder, denoTool.bin), "run", "--allow-all", "smoke/smoke.mjs"],
	},
	...["project", "linked"].map((project) => ({
		name: `deno check (${project === "linked" ? "linked packages" : "packages"})`,
		project,
		tool: denoTool,
		types: true,
		command: ({ folder }) => [join(folder, denoTool.bin), "check", "smoke/types.mts"],
	})),
	{
		name: "tsx",
		tool: { name: "tsx", packages: ["tsx@4"] },
		command: (at) => nodeTool(at, "tsx/dist/cli.mjs", "smoke/using.mts"),
	},
	{
		name: "jest",
		tool: { name: "jest", packages: ["jest@30"] },
		env: { NODE_OPTIONS: "--experimental-vm-modules" },
		command: (at) => {
			const config = { rootDir: at.cwd, testMatch: ["**/smoke.spec.mjs"], transform: {}, cacheDirectory: at.home };
			return nodeTool(at, "jest/bin/jest.js", "--config", JSON.stringify(config));
		},
	},
	...["forks", "threads", "vmForks", "vmThreads"].map((pool) => ({
		name: `vitest ${pool}`,
		tool: { name: "vitest", packages: [`vitest@${vitest}`] },
		command: (at) => {
			const config = ["--config", "smoke/vitest.config.mjs", "--configLoader", "runner"];
			return nodeTool(at, "vitest/vitest.mjs", "run", ...config, "--pool", pool, "--disable-console-intercept");
		},
	})),
];

/** A tool that runs on the Node of this script. */
function nodeTool({ folder }, script, ...args) {
	return [process.execPath, join(folder, "node_modules", script), ...args];
}
