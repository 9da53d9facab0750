import { readdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { defineConfig } from "vitest/config";

const conditions = ["nearfar-source", "node", "import", "module", "default"];

/** Checks every test file for what it leaves behind. */
const setup = join(import.meta.dirname, "test/setup.ts");

export default defineConfig({
	// The cache is outside of the tree, because the tests also run as a user without permission to write here.
	cacheDir: join(tmpdir(), `nearfar-vitest-${process.getuid?.()}`),
	resolve: { conditions },
	ssr: { resolve: { conditions } },
	// Node 20 cannot parse `using`: this target has it compiled to older syntax.
	oxc: { target: "es2022" },
	test: {
		// Each test file runs in a process of its own, because some calls change the whole process.
		pool: "forks",
		isolate: true,
		testTimeout: 30_000,
		hookTimeout: 30_000,
		// A busy machine may need seconds for what takes a moment elsewhere. A poll ends as soon as it may.
		expect: { poll: { timeout: 20_000 } },
		projects: [
			...readdirSync("packages").map((name) => project(name, `packages/${name}/test/**/*.test.ts`, [setup])),
			// Programs of documents end with their process: what they leave in it is no leak.
			project("examples", "examples/**/*.test.ts"),
			project("scripts", "scripts/**/*.test.mjs"),
		],
	},
});

function project(name: string, include: string, setupFiles: string[] = []) {
	return { extends: true as const, test: { name, include: [include], setupFiles } };
}
