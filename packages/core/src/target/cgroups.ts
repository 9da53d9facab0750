import { readBounded } from "./read-bounded.ts";

const DEEPEST = 64; // levels of cgroups that are looked at

/**
 * Returns the folders of a cgroup and of its ancestors, the innermost first. The hierarchies that can limit the number of
 * processes are cgroup v2 and the pids controller of v1. A folder that is not mounted in this mount namespace is left out.
 *
 * @param folder - The folder of a process in `/proc`.
 * @param cgroup - The folder of another cgroup. Default: the cgroup of the process.
 */
export function findCgroups(folder: string, cgroup?: string): string[] {
	const mounts = [
		...readBounded("/proc/self/mountinfo").matchAll(/^\S+ \S+ \S+ (\S+) (\S+) .* - (cgroup2?) \S+ (\S+)$/gm),
	];
	const found: string[] = [];
	for (const [, root = "", place = "", type, flags = ""] of mounts) {
		const isV2 = type === "cgroup2";
		if (!isV2 && !flags.split(",").includes("pids")) continue;
		const inner = cgroup ? folderBelow(place, cgroup) : pathBelow(root, cgroupOf(folder, isV2));
		if (inner !== undefined) found.push(...upwards(place, inner));
	}
	return found;
}

/** Returns the path of the cgroup of a process, from the root of its hierarchy. */
function cgroupOf(folder: string, isV2: boolean): string | undefined {
	const lines = readBounded(`${folder}/cgroup`).matchAll(/^\d+:(.*?):(.*)$/gm);
	for (const [, controllers = "", path] of lines) {
		if (isV2 ? controllers === "" : controllers.split(",").includes("pids")) return path;
	}
	return undefined;
}

/** Returns the path of a cgroup from the root of a mount. `undefined`: the cgroup is outside of the mount. */
function pathBelow(root: string, path: string | undefined): string | undefined {
	if (path === undefined || path.startsWith("/..")) return undefined;
	if (root === "/" || root.startsWith("/..")) return path;
	return path === root || path.startsWith(`${root}/`) ? path.slice(root.length) : undefined;
}

function folderBelow(place: string, folder: string): string | undefined {
	return folder === place || folder.startsWith(`${place}/`) ? folder.slice(place.length) : undefined;
}

function upwards(place: string, path: string): string[] {
	const names = path.split("/").filter(Boolean).slice(0, DEEPEST);
	return names.map((_, index) => [place, ...names.slice(0, names.length - index)].join("/")).concat(place);
}
