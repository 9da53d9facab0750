// What a registry has, and how packages get into it.
import { execFile } from "node:child_process";
import { setTimeout } from "node:timers/promises";
import { promisify } from "node:util";

/** The registry of npm, which is also npm's default. */
export const npmjs = "https://registry.npmjs.org";

export function isNpmjs(registry) {
	return new URL(registry).hostname === new URL(npmjs).hostname;
}

/** Returns `integrity` and `tarball` of a version in a registry, or `undefined` if the registry does not show that version. */
export async function shownIn(registry, name, version) {
	const url = new URL(name.replace("/", "%2f"), `${registry.replace(/\/$/, "")}/`);
	// Without these headers a cache between here and the registry may show an older list of versions.
	const response = await fetch(url, { headers: { accept: "application/json", "cache-control": "no-cache" } });
	if (response.status === 404) return undefined;
	if (!response.ok) throw new Error(`${url} responds with ${response.status}`);
	const { versions } = await response.json();
	return versions?.[version]?.dist;
}

/** Waits until a registry shows a version. Returns what `shownIn` does, and `undefined` after `wait` milliseconds. */
export async function untilShown(registry, name, version, wait) {
	const end = performance.now() + wait;
	for (let pause = 250; ; pause = Math.min(2 * pause, 10_000)) {
		const dist = await shownIn(registry, name, version);
		if (dist || performance.now() >= end) return dist;
		await setTimeout(pause);
	}
}

/** Fetches the tarball that a registry shows. */
export async function fetchTarball({ tarball }) {
	const response = await fetch(tarball);
	if (!response.ok) throw new Error(`${tarball} responds with ${response.status}`);
	return Buffer.from(await response.arrayBuffer());
}

/** Publishes a tarball with npm. Returns `undefined`, or what npm said. */
export async function publishTarball({ tarball }, { registry, tag, provenance }) {
	const url = registry.endsWith("/") ? registry : `${registry}/`;
	// A registry for the scope in some .npmrc is stronger than `--registry`.
	const where = [`--registry=${url}`, `--@nearfar:registry=${url}`];
	const args = ["publish", tarball, ...where, "--access=public", `--tag=${tag}`, "--ignore-scripts"];
	if (provenance) args.push("--provenance");
	try {
		await promisify(execFile)("npm", args, { timeout: 300_000 });
		return undefined;
	} catch (error) {
		return error.stderr?.trim() || error.message;
	}
}
