// What a registry has, and how packages get into it.
import { execFile } from "node:child_process";
import { setTimeout } from "node:timers/promises";
import { promisify } from "node:util";

/** The registry of npm, which is also npm's default. */
export const npmjs = "https://registry.npmjs.org";

/** How long one answer may take, in milliseconds. */
const PATIENCE = 60_000;

/** Thrown where a registry does not answer, or not as registries do. The message has the address and the reason. */
export class RegistryError extends Error {}

export function isNpmjs(registry) {
	return new URL(registry).hostname === new URL(npmjs).hostname;
}

/** Returns whether a registry is on this machine. Every other one may be npm's, under another name. */
export function isLoopback(registry) {
	return /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(new URL(registry).hostname);
}

/** Returns `integrity` and `tarball` of a version in a registry, or `undefined` if the registry does not show that version. */
export async function shownIn(registry, name, version, patience) {
	const url = new URL(name.replace("/", "%2f"), `${registry.replace(/\/$/, "")}/`);
	const packument = await get(url, patience, (response) => (response.status === 404 ? {} : response.json()));
	if (packument === null) throw new RegistryError(`${url} cannot be read (null is no package)`);
	return packument.versions?.[version]?.dist;
}

/**
 * Waits until a registry shows a version. Returns what `shownIn` does, and `undefined` after `wait` milliseconds. A registry may fail for
 * a moment: the function asks again, and throws the error when the time is over.
 */
export async function untilShown(registry, name, version, { wait, patience }) {
	const end = performance.now() + wait;
	for (let pause = 250; ; pause = Math.min(2 * pause, 10_000)) {
		const isOver = performance.now() >= end;
		try {
			const dist = await shownIn(registry, name, version, patience);
			if (dist || isOver) return dist;
		} catch (error) {
			if (isOver || !(error instanceof RegistryError)) throw error;
		}
		await setTimeout(pause);
	}
}

/** Fetches the tarball that a registry shows. */
export async function fetchTarball({ tarball }, patience) {
	return await get(tarball, patience, async (response) => {
		if (response.status === 404) throw new RegistryError(`${tarball} responds with 404`);
		return Buffer.from(await response.arrayBuffer());
	});
}

/** Makes a request, and returns what `use` makes of the response. */
async function get(url, patience = PATIENCE, use) {
	// Without these headers a cache between here and the registry may show an older list of versions.
	const headers = { accept: "application/json", "cache-control": "no-cache" };
	try {
		const response = await fetch(url, { headers, signal: AbortSignal.timeout(patience) });
		if (!response.ok && response.status !== 404) throw new RegistryError(`${url} responds with ${response.status}`);
		return await use(response);
	} catch (error) {
		if (error instanceof RegistryError) throw error;
		const reason = [error.message, error.cause?.code ?? error.cause?.message].filter(Boolean).join(", ");
		throw new RegistryError(`${url} cannot be read (${reason})`, { cause: error });
	}
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
