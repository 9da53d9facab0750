import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { runFixture } from "../../../../test/fixture.ts";

const root = fileURLToPath(new URL("../../../..", import.meta.url));
const model = process.allowedNodeEnvironmentFlags.has("--permission") ? "--permission" : "--experimental-permission";
const readAll = [model, "--allow-fs-read=*"];
const refused = { name: "LoadError", code: "ERR_NEARFAR_PERMISSION" };

test.each([
	["--permission without --allow-addons", readAll, refused],
	["--permission with --allow-addons", [...readAll, "--allow-addons"], "works"],
	["--no-addons", ["--no-addons"], refused],
	[
		"--permission without the folder of the addon",
		[
			model,
			"--allow-addons",
			...["packages/core/test", "packages/core/dist", "packages/core/package.json", "test"].map(readable),
		],
		refused,
	],
	[
		"--permission without package.json",
		[model, "--allow-addons", ...["packages/core/test", "packages/core/dist", "test"].map(readable)],
		refused,
	],
])("the first call with %s", async (_, node, expected) => {
	const { report, code } = await runFixture("core/first-call", { node });
	expect([code, report]).toEqual([0, expected]);
});

function readable(path: string): string {
	return `--allow-fs-read=${root}${path}${path.endsWith(".json") ? "" : "/*"}`;
}
