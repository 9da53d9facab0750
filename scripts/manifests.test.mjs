import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { addonName, platforms } from "./platforms.mjs";
import { root } from "./run.mjs";

const read = (folder) => JSON.parse(readFileSync(join(root, folder, "package.json"), "utf8"));
const packages = readdirSync(join(root, "packages")).map((name) => `packages/${name}`);
const slices = platforms.map(({ name }) => `packages/core/npm/${name}`);

test.each([...packages, ...slices])("%s has the license, engines and repository of all packages", (folder) => {
	const manifest = read(folder);
	const { license, engines } = read(".");
	// npm makes `bugs` and `homepage` from the repository. An address of their own would be one more to change.
	expect(manifest).toMatchObject({ license, engines, publishConfig: { access: "public" } });
	expect(manifest.repository).toEqual({ ...read("packages/core").repository, directory: folder });
	expect(manifest.version).toBe(read("packages/core").version);
	expect(manifest).not.toHaveProperty("homepage");
	expect(manifest).not.toHaveProperty("bugs");
	expect(manifest).not.toHaveProperty("author");
});

test.each(packages)("%s is found under linux and syscall", (folder) => {
	expect(read(folder).keywords).toEqual(expect.arrayContaining(["linux", "syscall"]));
});

test.each(platforms)("the manifest of the slice $name says for which machine it is", (platform) => {
	const manifest = read(`packages/core/npm/${platform.name}`);
	expect(manifest).toMatchObject({
		name: `@nearfar/core-linux-${platform.name}`,
		type: "commonjs",
		main: addonName(platform),
		os: ["linux"],
		cpu: [platform.cpu],
		libc: [platform.libc],
		files: [addonName(platform), "nearfar-stub", "THIRD-PARTY.md"],
	});
	// pnpm packs a file that is not listed here without its execute bit, and then no task starts.
	expect(manifest.publishConfig.executableFiles).toEqual(["./nearfar-stub"]);
});

test("core has the slices of all platforms as optional dependencies", () => {
	expect(Object.keys(read("packages/core").optionalDependencies)).toEqual(
		platforms.map(({ name }) => `@nearfar/core-linux-${name}`).sort(),
	);
});
