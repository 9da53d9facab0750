// Publishes packed packages in the order of their dependencies.
import { readFileSync } from "node:fs";
import { inOrder } from "./packages.mjs";
import { fetchTarball, publishTarball, RegistryError, shownIn, untilShown } from "./registry.mjs";
import { differences } from "./tar.mjs";

/**
 * Publishes the packages that the registry does not have, in the order of their dependencies, and waits after each step until the
 * registry shows the packages of that step. Returns `undefined`, or the fault at which it stopped. `patience` is how long one answer of the
 * registry may take, in milliseconds.
 */
export async function publishAll(packed, options) {
	try {
		return await publishSteps(packed, options);
	} catch (error) {
		if (error instanceof RegistryError) return error.message;
		throw error;
	}
}

async function publishSteps(packed, { publish = publishTarball, ...options }) {
	// Before anything is published: if the registry has a package with other files, this release cannot be finished.
	const present = new Set();
	for (const each of packed) {
		const dist = await shownIn(options.registry, each.name, each.version, options.patience);
		if (!dist) continue;
		const fault = await compare(each, dist, options);
		if (fault) return fault;
		present.add(each);
	}
	for (const step of inOrder(packed)) {
		for (const each of step) {
			const what = `${each.name}@${each.version}`;
			if (present.has(each)) console.log(`${what}: the registry has it`);
			else if (options.dryRun) console.log(`${what}: would be published`);
			else {
				const said = await publish(each, options);
				if (said) return `npm cannot publish ${what}:\n${said}`;
				console.log(`${what}: published`);
			}
		}
		if (options.dryRun) continue;
		for (const each of step) {
			const dist = await untilShown(options.registry, each.name, each.version, options);
			if (!dist)
				return `the registry does not show ${each.name}@${each.version} after ${options.wait / 1000} s: wait until it does`;
			const fault = await compare(each, dist, options);
			if (fault) return fault;
		}
	}
	return undefined;
}

/** Returns a fault if the registry has another package. Tarballs with other bytes may have the same files: see `differences`. */
async function compare({ name, version, integrity, tarball }, dist, { patience }) {
	if (dist.integrity === integrity) return undefined;
	const files = differencesFrom(readFileSync(tarball), await fetchTarball(dist, patience), dist.tarball);
	if (files.length === 0) return undefined;
	return (
		`the registry has ${name}@${version} with other files (${files.join(", ")}; integrity ${dist.integrity}, and here ${integrity}). ` +
		"If an earlier run of this release published that package, run the script again with the files of that run. Otherwise add a " +
		"changeset and run `npm run version`: a version that was published never changes"
	);
}

function differencesFrom(own, others, url) {
	try {
		return differences(own, others);
	} catch (error) {
		throw new RegistryError(`${url} is no tarball (${error.message})`, { cause: error });
	}
}
