import { statx } from "@nearfar/core";
import { type Directory, near } from "./directory.ts";
import { CgroupError } from "./errors.ts";
import { openCurrent } from "./place.ts";
import { eventIn } from "./state.ts";

/**
 * Refuses a directory in which this process is, or below which it is: nobody would be left to finish what the caller wants.
 *
 * @param what - What the caller wants, for the message: "freeze".
 */
export function refuseOwn(directory: Directory, what: string): void {
	// Most groups that are removed are empty, and have nobody to look for.
	if (eventIn(directory, "populated") === false || !holdsThisProcess(directory)) return;
	throw new CgroupError(
		"occupied",
		`cannot ${what} ${directory.path}: this process is in it or below`,
		"move this process away first, or make a group below for what is to be ended",
		{ pids: [process.pid] },
	);
}

/** Returns the id of the cgroup of a directory. */
export function idOf(directory: Directory): bigint {
	return near("look at a cgroup", () => statx(directory.fd, { mask: ["ino"] }).ino ?? 0n);
}

/** Compares ids, because the paths of two mounts or of two namespaces differ. */
function holdsThisProcess(directory: Directory): boolean {
	const id = idOf(directory);
	for (let at = ownDirectory(); at; ) {
		using _ = at.fd;
		if (idOf(at) === id) return true;
		at = at.parent();
	}
	return false;
}

/** Returns the directory of this process. `undefined`: no mount in sight shows it, and so none of those above. */
function ownDirectory(): Directory | undefined {
	try {
		return openCurrent(undefined).directory;
	} catch (error) {
		if (error instanceof CgroupError) return undefined;
		throw error;
	}
}
