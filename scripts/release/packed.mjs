// Packs the packages as they are published, and checks what the tarballs contain.
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { run } from "../run.mjs";
import { dependenciesOf } from "./packages.mjs";
import { readTarball } from "./tar.mjs";

/** Packs the packages of a tree into `place`, and returns the packages with their tarballs and what npm calls their integrity. */
export function pack(tree, packages, place) {
	// pnpm sets the mode of `executableFiles`, and writes versions for `workspace:*`. npm does neither.
	run("pnpm", ["-r", "--filter", "./packages/**", "pack", "--pack-destination", place], { cwd: tree });
	return packages.map((each) => {
		const tarball = join(place, `${each.name.replace("@", "").replace("/", "-")}-${each.version}.tgz`);
		const integrity = `sha512-${createHash("sha512").update(readFileSync(tarball)).digest("base64")}`;
		return { ...each, tarball, integrity };
	});
}

/** Returns the faults of a tarball: missing, surplus and changed files, lost modes, and a manifest that npm would misread. */
export function packedFaults({ folder, isSlice, name, tarball }, version) {
	const faults = [];
	const files = readTarball(tarball);
	const wanted = isSlice ? sliceFiles(folder) : packageFiles(folder);
	const missing = wanted.filter((file) => !files.has(file));
	const surplus = [...files.keys()].filter((file) => !wanted.includes(file));
	if (missing.length > 0) faults.push(`the tarball lacks ${missing.join(", ")}`);
	if (surplus.length > 0) faults.push(`the tarball has ${surplus.join(", ")}, for which there is no source`);
	for (const [file, { mode, content }] of files) {
		const right = file === "nearfar-stub" ? 0o755 : 0o644;
		if (mode !== right)
			faults.push(`${file} has mode ${mode.toString(8)} in the tarball, and needs ${right.toString(8)}`);
		if (file !== "package.json" && wanted.includes(file) && !content.equals(readFileSync(join(folder, file))))
			faults.push(`${file} in the tarball is not the file of ${folder}`);
	}
	const manifest = JSON.parse(files.get("package.json").content);
	if (manifest.version !== version) faults.push(`the manifest has version ${manifest.version}, and not ${version}`);
	for (const other of dependenciesOf(manifest)) {
		const range = manifest.dependencies?.[other] ?? manifest.optionalDependencies?.[other];
		if (!other.startsWith("@nearfar/")) faults.push(`the package depends on ${other}, and no package may be foreign`);
		if (range !== version) faults.push(`the package depends on ${other} ${range}, and the exact version is ${version}`);
	}
	return faults.map((fault) => `${name}: ${fault}`);
}

function sliceFiles(folder) {
	const { files } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
	return [...files, "LICENSE", "README.md", "package.json"];
}

/** Returns the files that belong into a package: its sources, a declaration of each, and the bundles. */
function packageFiles(folder) {
	const sources = readdirSync(join(folder, "src"), { recursive: true }).filter((file) => file.endsWith(".ts"));
	const declarations = sources.map((file) => file.replace(/\.ts$/, ".d.ts"));
	const isCore = existsSync(join(folder, "npm"));
	const bundles = isCore ? ["index.js", "internal.js"] : ["index.js"];
	const built = [...declarations, ...bundles].flatMap((file) => [file, `${file}.map`]);
	return [
		...["LICENSE", "README.md", "package.json"],
		...sources.map((file) => `src/${file}`),
		...built.map((file) => `dist/${file}`),
		...(isCore ? ["native/binding.d.ts"] : []),
	];
}
