import { SyscallError } from "@nearfar/core";
import type { Directory } from "./directory.ts";

/** A controller of cgroup v2. The kernel may have more than are named here. */
export type Controller = "cpu" | "cpuset" | "io" | "memory" | "pids" | (string & {});

/** How a cgroup takes processes and threads: see "Threads" in cgroups(7). */
export type CgroupType = "domain" | "domain threaded" | "domain invalid" | "threaded";

/** Returns whether a directory is the root of all cgroups. Every other one has the file, that of a cgroup namespace as well. */
export function isRoot(directory: Directory): boolean {
	return directory.readIfThere("cgroup.events") === undefined;
}

/** Returns the controllers that a directory has. */
export function availableIn(directory: Directory): Controller[] {
	return words(directory.read("cgroup.controllers"));
}

/** Returns the controllers that the children of a directory have. */
export function enabledIn(directory: Directory): Controller[] {
	return words(directory.read("cgroup.subtree_control"));
}

/** Returns the type of a directory. The root of all cgroups has no such file. */
export function typeOf(directory: Directory): CgroupType {
	return (directory.readIfThere("cgroup.type")?.trim() ?? "domain") as CgroupType;
}

/** Returns the processes of a directory itself. Throws where it is threaded, and the kernel does not say. */
export function readPids(directory: Directory): number[] {
	// While processes move, the kernel may name one twice.
	return [...new Set(words(directory.read("cgroup.procs")).map(Number))];
}

/** Returns the processes of a directory itself. `undefined`: the directory is threaded. */
export function pidsIn(directory: Directory): number[] | undefined {
	try {
		return readPids(directory);
	} catch (error) {
		if (error instanceof SyscallError && error.code === "EOPNOTSUPP") return undefined;
		throw error;
	}
}

/** Returns whether a line of `cgroup.events` is 1. `undefined`: this is the root of all cgroups, or the kernel is too old. */
export function eventIn(directory: Directory, name: "populated" | "frozen"): boolean | undefined {
	const value = new RegExp(`^${name} ([01])$`, "m").exec(directory.readIfThere("cgroup.events") ?? "")?.[1];
	return value === undefined ? undefined : value === "1";
}

function words(text: string): string[] {
	return text.split(/\s+/).filter(Boolean);
}
