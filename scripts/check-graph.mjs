// Checks what uses what, and prints the two pictures that docs/architecture.md shows. Between packages: a cycle, a source
// that reaches into another package, a manifest that differs from the imports. Inside crates and packages: a cycle of
// modules, and an arrow to a higher floor of scripts/graph/floors.mjs.
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";
import { findCycles } from "./graph/cycles.mjs";
import { drawFloors, houses, upwardArrows } from "./graph/floors.mjs";
import { moduleUses } from "./graph/rust.mjs";
import { valueImports } from "./graph/typescript.mjs";
import { root } from "./run.mjs";

const folder = join(root, "packages");
const names = readdirSync(folder).sort();
/** Entries of packages that only our other packages use. */
const inner = [
	["@nearfar/core/internal", "core"],
	["@nearfar/sandbox/bubblewrap", "sandbox"],
];
/** The names that one package may import of another, and the package that each belongs to. */
const doors = new Map(names.map((name) => [nameOf(name), name]).concat(inner));

export function checkGraph() {
	const faults = [];
	const graph = new Map(names.map((name) => [name, usedBy(name, faults)]));
	for (const name of names) {
		const declared = declaredBy(name);
		for (const other of difference(graph.get(name), declared)) faults.push(`${name} uses ${other}, undeclared`);
		for (const other of difference(declared, graph.get(name))) faults.push(`${name} declares ${other}, unused`);
	}
	for (const cycle of findCycles(graph)) faults.push(`a cycle of packages: ${cycle.join(" -> ")}`);
	faults.push(...checkInside());
	const drawn = names.flatMap((name) => [...graph.get(name)].sort().map((other) => `${name} -> ${other}`)).join("\n");
	const pictures = [drawn, drawFloors()];
	const page = readFileSync(join(root, "docs/architecture.md"), "utf8");
	for (const picture of pictures)
		if (!page.includes(`\`\`\`text\n${picture}\n\`\`\`\n`))
			faults.push(`docs/architecture.md does not show this as a block of \`text\`:\n${picture}`);
	return { pictures, faults };
}

/** Returns the cycles and the upward arrows inside crates and packages. */
function checkInside() {
	const sources = ["crates/linux/src", "crates/node/src", ...names.map((name) => `packages/${name}/src`)];
	return sources.flatMap((source) => {
		const graph = source.startsWith("crates/") ? moduleUses(join(root, source)) : valueImports(join(root, source));
		const cycles = findCycles(graph).map((cycle) => `a cycle of modules: ${cycle.join(" -> ")}`);
		const arrows = houses[source] ? upwardArrows(houses[source], graph) : [];
		return [...cycles, ...arrows].map((fault) => `${source}: ${fault}`);
	});
}

function nameOf(folderOfPackage) {
	return JSON.parse(readFileSync(join(folder, folderOfPackage, "package.json"), "utf8")).name;
}

function usedBy(name, faults) {
	const home = join(folder, name);
	const used = new Set();
	for (const file of readdirSync(join(home, "src"), { recursive: true }).filter((file) => file.endsWith(".ts"))) {
		const path = join(home, "src", file);
		for (const { fileName: specifier } of ts.preProcessFile(readFileSync(path, "utf8")).importedFiles) {
			const where = `packages/${relative(folder, path)} imports "${specifier}"`;
			if (specifier.startsWith("node:")) continue;
			if (specifier.startsWith(".")) {
				if (!resolve(dirname(path), specifier).startsWith(`${home}/`)) faults.push(`${where}, of another package`);
			} else if (!doors.has(specifier)) faults.push(`${where}, which is not for packages`);
			else if (doors.get(specifier) === name) faults.push(`${where}, which is itself`);
			else used.add(doors.get(specifier));
		}
	}
	return used;
}

function declaredBy(name) {
	const { dependencies = {} } = JSON.parse(readFileSync(join(folder, name, "package.json"), "utf8"));
	return new Set(Object.keys(dependencies).flatMap((dependency) => doors.get(dependency) ?? []));
}

function difference(these, those) {
	return [...these].filter((each) => !those.has(each));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
	const { pictures, faults } = checkGraph();
	console.log(pictures.join("\n\n"));
	for (const fault of faults) console.error(`nearfar: ${fault}`);
	process.exitCode = faults.length > 0 ? 1 : 0;
}
