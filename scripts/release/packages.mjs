// The packages that a release publishes, and the order in which they go.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** Returns the slices and the other packages of a tree: their folders, manifests, names and versions. */
export function readPackages(tree) {
	const folders = ["packages/core/npm", "packages"].flatMap((parent) =>
		readdirSync(join(tree, parent))
			.sort()
			.map((name) => ({ parent, folder: join(tree, parent, name) })),
	);
	return folders
		.filter(({ folder }) => existsSync(join(folder, "package.json")))
		.map(({ parent, folder }) => {
			const manifest = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
			return { folder, isSlice: parent !== "packages", manifest, name: manifest.name, version: manifest.version };
		})
		.filter(({ manifest }) => !manifest.private);
}

/** Returns the packages in steps: a package stands in a later step than every package that it depends on. */
export function inOrder(packages) {
	const steps = [];
	const placed = new Set();
	const names = new Set(packages.map(({ name }) => name));
	while (placed.size < names.size) {
		const step = packages.filter(
			({ name, manifest }) =>
				!placed.has(name) && dependenciesOf(manifest).every((other) => placed.has(other) || !names.has(other)),
		);
		if (step.length === 0) throw new Error("the packages depend on one another in a circle");
		for (const { name } of step) placed.add(name);
		steps.push(step);
	}
	return steps;
}

/** Returns the names of the packages that npm installs with a package. */
export function dependenciesOf({ dependencies, optionalDependencies, peerDependencies }) {
	return Object.keys({ ...dependencies, ...optionalDependencies, ...peerDependencies });
}
