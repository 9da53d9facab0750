// `npm run check`: the checks that a change has to pass, cheapest first. CI (.ci/run) runs all of these and some more.
import { spawnSync } from "node:child_process";
import { root } from "./run.mjs";
import { setup } from "./setup.mjs";

const generated = [
	"packages/core/src/addon/flags.generated.ts",
	"packages/core/native/binding.d.ts",
	"packages/*/api.txt",
	"docs/troubleshooting.md",
	"packages/core/npm/*/THIRD-PARTY.md",
];
const steps = [
	["npm run format", "run `npm run format`"],
	["npm run lint", "`npx biome lint --write` repairs some of it"],
	["npm run types"],
	["node scripts/check-docs.mjs"],
	["npm run docs"],
	["node scripts/check-graph.mjs"],
	["npm run clippy"],
	["cargo test"],
	["npm test"],
	["npm run generate"],
	[`git diff --exit-code -- ${generated.join(" ")}`, "generated files changed: commit them"],
];

setup();
for (const [command, hint] of steps) {
	console.log(`\n== ${command}`);
	if (spawnSync(command, { cwd: root, shell: true, stdio: "inherit" }).status === 0) continue;
	console.error(`nearfar: failed: ${command}${hint ? ` (${hint})` : ""}`);
	process.exit(1);
}
