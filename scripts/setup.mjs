// Makes the tree ready to run: dependencies, addon, packages, examples. If all of these are up to date, the script ends
// within milliseconds.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import * as fs from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { root, run, stop } from "./run.mjs";

const stampFile = join(root, "node_modules/.cache/nearfar-setup.json");
const packages = fs.readdirSync(join(root, "packages"));
const sources = [
	...["package.json", "tsconfig.build.json", "turbo.json", "Cargo.toml", "Cargo.lock"],
	...["crates", "examples", "scripts/native.mjs", "scripts/bundle.mjs", "scripts/declarations.mjs"],
	...packages.flatMap((name) => ["src", "package.json", "tsconfig.json"].map((file) => `packages/${name}/${file}`)),
];

/** Installs the dependencies and builds the tree, unless they are up to date. */
export function setup() {
	checkNode();
	const stamp = readStamp();
	const lock = hash(fs.readFileSync(join(root, "pnpm-lock.yaml")));
	if (stamp.lock === lock && stamp.sources === hashSources() && isBuilt()) return;
	if (!isWritable())
		stop("not everything is built, and this user cannot write here: run `npm run setup` as its owner.");
	if (stamp.lock !== lock || !fs.existsSync(join(root, "node_modules/.modules.yaml"))) {
		install();
		writeStamp({ lock });
	}
	checkRust();
	console.error("nearfar: building the addon and the packages (a minute or two the first time)");
	// The addon is built first: if its types did not change, turbo does not compile TypeScript again.
	for (const tasks of [["build:native"], ["build", "build:examples"]])
		run("turbo", ["run", ...tasks, "--output-logs=errors-only", "--log-order=grouped"]);
	writeStamp({ lock, sources: hashSources() });
}

function install() {
	const { packageManager } = JSON.parse(fs.readFileSync(join(root, "package.json"), "utf8"));
	console.error("nearfar: installing dependencies");
	const options = ["--frozen-lockfile", "--config.confirm-modules-purge=false"];
	run("npx", ["--yes", packageManager, "install", ...options]);
}

function checkNode() {
	const [major, minor] = process.versions.node.split(".").map(Number);
	const enough = major > 22 || (major === 22 && minor >= 12) || (major === 20 && minor >= 19);
	if (!enough) stop(`Node ^20.19 or >=22.12 is needed, this is ${process.versions.node}.`);
}

function isWritable() {
	try {
		fs.accessSync(root, fs.constants.W_OK);
		return true;
	} catch {
		return false;
	}
}

function checkRust() {
	const found = ["cargo", "rustc"].every((tool) => spawnSync(tool, ["--version"]).status === 0);
	if (!found) stop("Rust is missing, and the addon is written in it: get it from https://rustup.rs and try again.");
}

function isBuilt() {
	const native = join(root, "packages/core/native");
	const bundles = packages.map((name) => `packages/${name}/dist/${name === "nearfar" ? name : "index"}.js`);
	const dists = [...bundles, "examples/dist"];
	return (
		fs.existsSync(join(native, "nearfar-stub")) &&
		fs.readdirSync(native).some((file) => file.endsWith(".node")) &&
		dists.every((file) => fs.existsSync(join(root, file)))
	);
}

// Hashes sizes and times instead of contents, in a few milliseconds. If only times differ, turbo has all results cached.
function hashSources() {
	const lines = sources.filter((path) => fs.existsSync(join(root, path))).flatMap(describe);
	return hash(lines.join("\n"));
}

function describe(path) {
	const stat = fs.statSync(join(root, path));
	if (!stat.isDirectory()) return [`${path} ${stat.size} ${stat.mtimeMs}`];
	// `packages/core/src/target` holds sources, `target` in a crate what cargo built.
	const built = path.startsWith("crates") ? ["target"] : ["dist", "node_modules"];
	const names = fs.readdirSync(join(root, path)).filter((name) => !built.includes(name));
	return names.sort().flatMap((name) => describe(`${path}/${name}`));
}

function hash(data) {
	return createHash("sha256").update(data).digest("hex");
}

function readStamp() {
	return fs.existsSync(stampFile) ? JSON.parse(fs.readFileSync(stampFile, "utf8")) : {};
}

function writeStamp(stamp) {
	fs.mkdirSync(join(stampFile, ".."), { recursive: true });
	fs.writeFileSync(stampFile, JSON.stringify(stamp));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) setup();
