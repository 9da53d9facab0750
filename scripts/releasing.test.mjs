import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { root } from "./run.mjs";

const page = readFileSync(join(root, "RELEASING.md"), "utf8");
const read = (folder) => JSON.parse(readFileSync(join(root, folder, "package.json"), "utf8"));
const folders = ["packages", "packages/core/npm"]
	.flatMap((folder) => readdirSync(join(root, folder)).map((name) => `${folder}/${name}`))
	.filter((folder) => !read(folder).private); // a private package is not published

test("RELEASING.md trusts the workflow for each name, with the repository of the manifests", () => {
	const [, repository] = read("packages/core").repository.url.match(/github\.com\/(.+)\.git$/);
	const flags = `--repo ${repository} --file release.yml --env npm --allow-publish --yes`;
	const commands = folders.map((folder) => `npm trust github ${read(folder).name} ${flags}`);
	const written = [...page.matchAll(/^ *(npm trust github .*)$/gm)].map(([, command]) => command);
	expect(written).toEqual(commands.sort());
});

test("RELEASING.md counts the packages", () => {
	expect(folders.length).toBe(17);
	expect(page).toContain("seventeen packages");
});

test("each file that RELEASING.md and the workflows run or name exists", () => {
	const workflows = readdirSync(join(root, ".github/workflows")).map((file) => `.github/workflows/${file}`);
	for (const text of [page, ...workflows.map((file) => readFileSync(join(root, file), "utf8"))]) {
		const paths = [...text.matchAll(/(?:scripts|crates|\.ci)\/[\w./-]*\w/g)].map(([path]) => path);
		expect(paths.length).toBeGreaterThan(0);
		for (const path of paths) expect(existsSync(join(root, path)), path).toBe(true);
	}
});
