// A release from the gates to the tag.
import { rmSync } from "node:fs";
import { temporaryFolder } from "../ending.mjs";
import { gitFaults, manifestFaults, sliceFaults, tagRelease } from "./gates.mjs";
import { readPackages } from "./packages.mjs";
import { pack, packedFaults, withTarballs } from "./packed.mjs";
import { publishAll } from "./publish.mjs";

/**
 * Releases the packages of a tree, and returns the faults that have stopped the release.
 *
 * @param options - `registry`, `provenance`, `dryRun`, `packInto`, `packedIn`, and `wait` in milliseconds as scripts/release.mjs
 * describes them. `checkSlice` returns the faults of a slice. `build` makes the packages that are not up to date.
 */
export async function release(tree, { checkSlice, build, packInto, packedIn, ...options }) {
	const packages = readPackages(tree);
	const [{ version }] = packages;
	const faults = [...gitFaults(tree, version), ...manifestFaults(tree, packages)];
	if (!packedIn) faults.push(...(await sliceFaults(packages, checkSlice)));
	if (faults.length > 0) return faults;
	if (packedIn) {
		const packed = withTarballs(packages, packedIn);
		const changed = packed.flatMap((each) => packedFaults(each, version));
		return changed.length > 0 ? changed : await publishAndTag(tree, packed, version, options);
	}
	build();
	const place = packInto ?? temporaryFolder("nearfar-release-");
	try {
		const packed = pack(tree, packages, place);
		const inside = packed.flatMap((each) => packedFaults(each, version));
		if (inside.length > 0 || packInto) return inside;
		return await publishAndTag(tree, packed, version, options);
	} finally {
		if (!packInto) rmSync(place, { recursive: true });
	}
}

async function publishAndTag(tree, packed, version, { dryRun, ...options }) {
	const tag = distTag(version);
	const how = `dist-tag ${tag}, ${options.provenance ? "with" : "without"} provenance`;
	console.log(`${dryRun ? "would publish" : "publishes"} ${version} on ${options.registry}, ${how}`);
	const fault = await publishAll(packed, { ...options, tag, dryRun });
	if (fault) return [fault];
	if (dryRun) console.log(`would make the tag v${version}`);
	else console.log(`the registry shows all packages, and this commit has the tag ${tagRelease(tree, version)}`);
	return [];
}

/** Returns the dist-tag of a version, through which `npm install` without a version finds the newest one. */
export function distTag(version) {
	return version.includes("-") ? "next" : "latest";
}
