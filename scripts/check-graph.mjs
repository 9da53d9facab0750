// Which package uses which: prints the graph, and fails where it has a cycle, where a source reaches into another
// package, where a manifest and the imports differ, and where docs/architecture.md draws another one.
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";
import { root } from "./run.mjs";

const folder = join(root, "packages");
const names = readdirSync(folder).sort();
/** What one package may import of another. Everything else is its own. */
const doors = new Map(names.map((name) => [`@nearfar/${name}`, name]).concat([["@nearfar/core/internal", "core"]]));

export function checkGraph() {
	const faults = [];
	const graph = new Map(names.map((name) => [name, usedBy(name, faults)]));
	for (const name of names) {
		const declared = declaredBy(name);
		for (const other of difference(graph.get(name), declared)) faults.push(`${name} uses ${other}, undeclared`);
		for (const other of difference(declared, graph.get(name))) faults.push(`${name} declares ${other}, unused`);
		const cycle = findCycle(graph, [name]);
		if (cycle) faults.push(`a cycle: ${cycle.join(" -> ")}`);
	}
	const drawn = names.flatMap((name) => [...graph.get(name)].sort().map((other) => `${name} -> ${other}`)).join("\n");
	if (!readFileSync(join(root, "docs/architecture.md"), "utf8").includes(`\`\`\`text\n${drawn}\n\`\`\`\n`))
		faults.push(`docs/architecture.md does not draw it: \`node scripts/check-graph.mjs\` prints the right one`);
	return { drawn, faults };
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

function findCycle(graph, path) {
	for (const next of graph.get(path.at(-1))) {
		if (next === path[0]) return [...path, next];
		const found = path.includes(next) ? undefined : findCycle(graph, [...path, next]);
		if (found) return found;
	}
}

function difference(these, those) {
	return [...these].filter((each) => !those.has(each));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
	const { drawn, faults } = checkGraph();
	console.log(drawn);
	for (const fault of faults) console.error(`nearfar: ${fault}`);
	process.exitCode = faults.length > 0 ? 1 : 0;
}
