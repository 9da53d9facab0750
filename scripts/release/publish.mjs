// Publishes packed packages in the order of their dependencies.
import { inOrder } from "./packages.mjs";
import { integrityOf, publishTarball, untilShown } from "./registry.mjs";

/**
 * Publishes the packages that the registry does not have, in the order of their dependencies, and waits after each step until the
 * registry shows the packages of that step. Returns `undefined`, or the fault at which it stopped.
 */
export async function publishAll(packed, { publish = publishTarball, ...options }) {
	// Before anything is published: a package with other bytes means that this release cannot be finished.
	const shown = new Map();
	for (const { name, version } of packed) shown.set(name, await integrityOf(options.registry, name, version));
	const foreign = packed.filter(({ name, integrity }) => shown.get(name) && shown.get(name) !== integrity);
	if (foreign.length > 0) return foreign.map((each) => otherBytes(each, shown.get(each.name))).join("\n");
	for (const step of inOrder(packed)) {
		for (const each of step) {
			const what = `${each.name}@${each.version}`;
			if (shown.get(each.name)) console.log(`${what}: the registry has it`);
			else if (options.dryRun) console.log(`${what}: would be published`);
			else {
				const said = await publish(each, options);
				if (said) return `npm cannot publish ${what}:\n${said}`;
				console.log(`${what}: published`);
			}
		}
		if (options.dryRun) continue;
		for (const each of step) {
			const integrity = await untilShown(options.registry, each.name, each.version, options.wait);
			if (!integrity)
				return `the registry does not show ${each.name}@${each.version} after ${options.wait / 1000} s: wait until it does`;
			if (integrity !== each.integrity) return otherBytes(each, integrity);
		}
	}
	return undefined;
}

function otherBytes({ name, version, integrity }, shown) {
	return (
		`the registry has ${name}@${version} with other bytes (${shown}, and here ${integrity}). If an earlier run of this release ` +
		"published it, run the script again with the files of that run. Otherwise add a changeset and run `npm run version`: " +
		"a version that was published never changes"
	);
}
