import { readdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { defineConfig } from "vitest/config";

const conditions = ["nearfar-source", "node", "import", "module", "default"];

export default defineConfig({
	// Not in the tree: the tests also run as a user who cannot write there.
	cacheDir: join(tmpdir(), `nearfar-vitest-${process.getuid?.()}`),
	resolve: { conditions },
	ssr: { resolve: { conditions } },
	// `using` has to become something that Node 20 can parse.
	oxc: { target: "es2022" },
	test: {
		// One process per file: calls that change the process need one of their own.
		pool: "forks",
		isolate: true,
		testTimeout: 30_000,
		hookTimeout: 30_000,
		projects: [
			...readdirSync("packages").map((name) => project(name, `packages/${name}/test/**/*.test.ts`)),
			project("examples", "examples/**/*.test.ts"),
		],
	},
});

function project(name: string, include: string) {
	return { extends: true as const, test: { name, include: [include] } };
}
