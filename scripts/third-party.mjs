// Writes THIRD-PARTY.md of each slice: which foreign code is linked into the addon and the stub, with the texts of its licences.
// `--check` writes nothing, and fails when a file differs, for instance because Cargo.lock has changed, or when a slice that is built
// has code of a crate that the file does not name.
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { line } from "./count.mjs";
import { addonName, platforms, sliceFolder } from "./platforms.mjs";
import { root, run, stop } from "./run.mjs";
import { crateTexts, parts } from "./third-party/parts.mjs";

const texts = join(root, "scripts/third-party");

/**
 * Returns the packages of `cargo metadata` that are linked into nearfar-node and are not of this workspace, sorted by name.
 * Macros run in the compiler, and build dependencies before it: neither is linked.
 */
export function linked({ packages, resolve }) {
	const byId = new Map(packages.map((found) => [found.id, found]));
	const dependencies = new Map(resolve.nodes.map(({ id, deps }) => [id, deps]));
	const found = new Set([packages.find(({ name }) => name === "nearfar-node").id]);
	for (const id of found) {
		for (const { pkg, dep_kinds } of dependencies.get(id)) {
			const isMacro = byId.get(pkg).targets.some(({ kind }) => kind.includes("proc-macro"));
			if (!isMacro && dep_kinds.some(({ kind }) => kind === null)) found.add(pkg);
		}
	}
	return [...found]
		.map((id) => byId.get(id))
		.filter(({ source }) => source !== null)
		.sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** Returns the one license that is used of an SPDX expression: MIT where MIT is offered. A text is chosen for no other choice. */
export function chosenLicence({ name, license }) {
	const offered = (license ?? "").split(/ OR |\//);
	if (offered.includes("MIT")) return "MIT";
	if (offered.length === 1 && /^[\w.-]+$/.test(offered[0])) return offered[0];
	throw new Error(`the license of ${name} is "${license}": scripts/third-party.mjs has to learn which text that means`);
}

/** Returns the file that has the text of a crate's license, among the names of the files of the crate. */
export function licenceFile(licence, files) {
	const named = new RegExp(`^LICEN[CS]E-${licence}(\\.(md|txt))?$`, "i");
	const only = files.filter((file) => /^(LICEN[CS]E|COPYING)/i.test(file));
	return files.find((file) => named.test(file)) ?? (only.length === 1 ? only[0] : undefined);
}

function crateNotice(crate) {
	const licence = chosenLicence(crate);
	const folder = dirname(crate.manifest_path);
	const file = licenceFile(licence, readdirSync(folder));
	if (!file && !(crate.name in crateTexts)) {
		throw new Error(`${crate.name} ${crate.version} has no text of its license: put one into scripts/third-party`);
	}
	const text = readFileSync(file ? join(folder, file) : join(texts, crateTexts[crate.name]), "utf8");
	return { name: crate.name, version: crate.version, licence, url: crate.repository, text };
}

/** Returns the page of a platform for notices: each has the name, licence, url and text of one part. */
export function page({ name, libc }, notices) {
	const c = libc === "musl" ? "musl" : "glibc";
	const out = [
		`# Third-party software in @nearfar/core-linux-${name}`,
		"",
		"The addon and the stub of this package contain code of others, under the licenses below. The linker leaves out the functions",
		`that nothing calls. The C library, ${c}, is not part of the package: the addon uses that of the machine. The few files of ${c}`,
		"that are linked in, which start a program or call the library, carry a permission to be linked without a notice.",
		"",
		"`scripts/third-party.mjs` writes this file.",
	];
	for (const group of groupByText(notices)) {
		out.push("", `## ${group[0].licence}: ${[...new Set(group.map(({ name }) => name))].join(", ")}`, "");
		for (const { name, version, url, about } of group) {
			out.push(`- [${name}${version ? ` ${version}` : ""}](${url})${about ? `, ${about}` : ""}`);
		}
		out.push("", "```text", group[0].text, "```");
	}
	return `${out.join("\n")}\n`;
}

/** Returns the notices in groups of the same text, so that each text is written once. */
function groupByText(notices) {
	const groups = new Map();
	for (const notice of notices) {
		const text = trimmed(notice.text);
		const key = text.replace(/\s+/g, " ");
		groups.set(key, [...(groups.get(key) ?? []), { ...notice, text }]);
	}
	return groups.values();
}

function trimmed(text) {
	const lines = text.split(/\r?\n/).map((line) => line.trimEnd());
	return lines.join("\n").replace(/^\n+|\n+$/g, "");
}

/**
 * Returns the names of crates that an addon has code of, and that a page does not name. An addon has the path of each source file
 * that can panic, for instance /cargo/registry/src/napi-3.16.1/src/error.rs.
 */
export function unnamedCrates(addon, text) {
	const paths = addon.toString("latin1").matchAll(/\/([a-z][\w-]*)-\d+\.\d+\.\d+[\w.+-]*\/src\//g);
	const crates = new Set([...paths].map(([, name]) => name));
	return [...crates].filter((name) => !text.includes(`- [${name} `) && !text.includes(`- [${name}]`)).sort();
}

/** Returns THIRD-PARTY.md of a platform, from the sources of the crates in cargo's registry. */
function thirdParty(platform) {
	const args = ["metadata", "--locked", "--format-version=1", "--filter-platform", platform.triple];
	const crates = linked(JSON.parse(run("cargo", args))).map(crateNotice);
	const others = parts.map((part) => ({ ...part, text: readFileSync(join(texts, part.text), "utf8") }));
	return page(platform, [...crates, ...others]);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
	const check = process.argv.includes("--check");
	const faults = [];
	for (const platform of platforms) {
		const folder = sliceFolder(platform);
		const file = join(folder, "THIRD-PARTY.md");
		const text = thirdParty(platform);
		if (!check) {
			writeFileSync(file, text);
			continue;
		}
		const addon = join(folder, addonName(platform));
		const unnamed = existsSync(addon) ? unnamedCrates(readFileSync(addon), text) : [];
		if (unnamed.length > 0) faults.push(`${platform.name}: scripts/third-party has to name ${unnamed.join(", ")}`);
		else if (!existsSync(file) || readFileSync(file, "utf8") !== text)
			faults.push(`${relative(root, file)} is out of date: run \`npm run generate\` and commit the result`);
	}
	if (check) console.log(line({ passed: platforms.length - faults.length, failed: faults.length, skipped: 0 }));
	if (faults.length > 0) stop(faults.join("\n"));
}
