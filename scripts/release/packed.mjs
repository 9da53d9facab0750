// Packs the packages as they are published, and checks what the tarballs contain.
import { createHash } from "node:crypto";
import { cpSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { temporaryFolder } from "../ending.mjs";
import { run } from "../run.mjs";
import { dependenciesOf } from "./packages.mjs";
import { readTarball } from "./tar.mjs";

/** What a package leaves out of its tarball, and a copy of the package need not have. */
const unpacked = new Set(["examples", "node_modules", "npm", "test"]);

/**
 * Packs the packages of a tree into `place`, and returns the packages with their tarballs and what npm calls their integrity.
 * The same tree gives the same bytes: otherwise a second run could not tell what the first run has published.
 */
export function pack(tree, packages, place) {
	const copies = temporaryFolder("nearfar-pack-");
	try {
		for (const { folder, manifest, version } of packages) {
			const copy = join(copies, relative(tree, folder));
			cpSync(folder, copy, { recursive: true, filter: (path) => !unpacked.has(relative(folder, path)) });
			writeFileSync(join(copy, "package.json"), `${JSON.stringify(withVersions(manifest, version), null, "\t")}\n`);
		}
		writeFileSync(join(copies, "pnpm-workspace.yaml"), "packages: [packages/**]\n");
		// pnpm sets the mode of `executableFiles`, and npm does not.
		run("pnpm", ["-r", "--filter", "./packages/**", "pack", "--pack-destination", place], { cwd: copies });
	} finally {
		rmSync(copies, { recursive: true });
	}
	return withTarballs(packages, place);
}

/**
 * Returns a manifest with the version in place of each `workspace:*`. pnpm would write the versions too, in the order in which it
 * happens to read the manifests of the dependencies.
 */
function withVersions(manifest, version) {
	const exact = (dependencies) =>
		Object.fromEntries(
			Object.entries(dependencies).map(([name, range]) => [name, range === "workspace:*" ? version : range]),
		);
	const kinds = ["dependencies", "optionalDependencies"].filter((kind) => manifest[kind]);
	return { ...manifest, ...Object.fromEntries(kinds.map((kind) => [kind, exact(manifest[kind])])) };
}

/** Returns the packages with the tarballs that an earlier run has packed into `place`. */
export function withTarballs(packages, place) {
	return packages.map((each) => {
		const tarball = join(place, `${each.name.replace("@", "").replace("/", "-")}-${each.version}.tgz`);
		if (!existsSync(tarball)) throw new Error(`there is no ${tarball}: pack this version with --pack`);
		const integrity = `sha512-${createHash("sha512").update(readFileSync(tarball)).digest("base64")}`;
		return { ...each, tarball, integrity };
	});
}

/** Returns the faults of a tarball: missing, surplus and changed files, lost modes, and a manifest that npm would misread. */
export function packedFaults({ folder, isSlice, name, tarball }, version) {
	const faults = [];
	let files;
	try {
		files = readTarball(readFileSync(tarball));
	} catch (error) {
		return [`${name}: ${tarball} cannot be read (${error.message}): pack this version again`];
	}
	const own = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
	const wanted = isSlice ? sliceFiles(own) : packageFiles(folder, own);
	const programs = programsOf(own);
	const missing = wanted.filter((file) => !files.has(file));
	const surplus = [...files.keys()].filter((file) => !wanted.includes(file));
	if (missing.length > 0) faults.push(`the tarball lacks ${missing.join(", ")}`);
	if (surplus.length > 0) faults.push(`the tarball has ${surplus.join(", ")}, for which there is no source`);
	for (const [file, { mode, content }] of files) {
		const right = file === "nearfar-stub" || programs.includes(file) ? 0o755 : 0o644;
		if (mode !== right)
			faults.push(`${file} has mode ${mode.toString(8)} in the tarball, and needs ${right.toString(8)}`);
		// Where the tarballs are published and nothing was built, only the sources can be compared.
		const source = join(folder, file);
		if (file !== "package.json" && wanted.includes(file) && existsSync(source) && !content.equals(readFileSync(source)))
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

function sliceFiles({ files }) {
	return [...files, "LICENSE", "README.md", "package.json"];
}

/** Returns the files that belong into a package: its sources, a declaration of each, and the bundles. */
function packageFiles(folder, own) {
	const sources = readdirSync(join(folder, "src"), { recursive: true }).filter((file) => file.endsWith(".ts"));
	const declarations = sources.map((file) => file.replace(/\.ts$/, ".d.ts"));
	const isCore = existsSync(join(folder, "npm"));
	const programs = programsOf(own);
	const bundles = [...new Set([...programs, ...modulesOf(own)])].map((file) => file.replace("dist/", ""));
	const built = [...declarations, ...bundles].flatMap((file) => [file, `${file}.map`]);
	return [
		...["LICENSE", "README.md", "package.json"],
		...sources.map((file) => `src/${file}`),
		...built.map((file) => `dist/${file}`),
		...(isCore ? ["native/binding.d.ts"] : []),
		...(programs.length > 0 ? ["schema.json"] : []),
	];
}

/** Returns the files of a package that others import. */
function modulesOf({ exports }) {
	return Object.values(exports).flatMap(({ default: file }) => (file ? inPackage(file) : []));
}

/** Returns the files of a package that npm links into a folder of `PATH`. */
function programsOf({ bin = {} }) {
	return Object.values(bin).map(inPackage);
}

function inPackage(path) {
	return path.replace(/^\.\//, "");
}
