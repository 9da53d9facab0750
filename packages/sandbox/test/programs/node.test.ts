import { existsSync, mkdirSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test, vi } from "vitest";
import { needs } from "../../../../test/needs.ts";
import { folder } from "../attempts.ts";
import { hash } from "../hash.ts";
import { inProject, outputOf } from "../in-project.ts";
import { makeRegistry } from "./registry.ts";

vi.setConfig({ testTimeout: 120_000 });

const repository = fileURLToPath(new URL("../../../..", import.meta.url));

/** Makes a home directory with caches, which the preset shows as scratches. */
function home(): string {
	const at = folder();
	for (const cache of [".npm", ".cache/pip", ".cargo/registry"]) {
		mkdirSync(join(at, cache), { recursive: true });
		writeFileSync(join(at, cache, "before"), "kept");
	}
	writeFileSync(join(at, ".netrc"), "secret");
	return at;
}

needs("the program npm", "the file system overlay").test(
	"SB-25 npm ci and npm test of a project, from a registry on loopback; the cache of the host does not change",
	async () => {
		const [project, own] = [folder(), home()];
		mkdirSync(join(project, "registry"));
		makeRegistry(join(project, "registry"), project, "http://127.0.0.1:4873");
		const before = hash(own);
		const script = `
			(cd registry && exec node server.cjs 4873) > /tmp/log & until grep -q listening /tmp/log; do :; done
			npm ci --no-audit --no-fund --foreground-scripts && npm test && npm ls
			test -e ~/.npm/_cacache && test -e ~/.npm/before && ! test -e ~/.netrc`;
		for (const once of ["a cold cache", "node_modules that is there"]) {
			const { code, stdout, stderr } = await inProject(project, script, { outside: { HOME: own } });
			expect([once, code, stderr, stdout]).toEqual([once, 0, expect.any(String), expect.stringContaining("left ran")]);
		}
		expect(existsSync(join(project, "node_modules/left/installed"))).toBe(true);
		expect(statSync(join(project, "node_modules/right/index.js")).uid).toBe(process.geteuid?.());
		expect(hash(own)).toBe(before);
	},
);

test("node --test runs children and threads", async () => {
	const project = folder();
	writeFileSync(
		join(project, "a.test.mjs"),
		`import test from "node:test"; import { execFileSync, fork } from "node:child_process"; import { Worker } from "node:worker_threads";
		test("a child", () => { execFileSync("true"); });
		test("a thread", (_, done) => { new Worker("0", { eval: true }).on("exit", () => done()); });`,
	);
	expect(await outputOf(project, "node --test")).toContain("# pass 2");
});

test("tsc and vitest of this repository run in it, whose node_modules are links", async () => {
	const script = `
		node node_modules/typescript/bin/tsc --noEmit -p packages/pidfd
		node node_modules/vitest/vitest.mjs run --configLoader=runner --project pidfd exited get-fd`;
	const { code, stdout, stderr } = await inProject(repository, script);
	expect([code, stderr, stdout]).toEqual([0, "", expect.stringMatching(/2 passed/)]);
});

test("a folder of PATH in the project can be written, and node_modules can be removed", async () => {
	const project = folder();
	mkdirSync(join(project, "node_modules/.bin"), { recursive: true });
	const path = `${join(project, "node_modules/.bin")}:${process.env.PATH}`;
	await outputOf(project, "touch node_modules/.bin/new; rm -r node_modules; mkdir -p node_modules/.bin", {
		outside: { HOME: join(project, ".."), PATH: path },
	});
	expect(readdirSync(join(project, "node_modules/.bin"))).toEqual([]);
});
