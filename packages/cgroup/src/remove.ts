import { SyscallError } from "@nearfar/core";
import type { Directory } from "./directory.ts";
import { CgroupError, isRemovedError } from "./errors.ts";
import { killForGood, killUntil } from "./kill.ts";
import { endingLoops } from "./loop.ts";
import { idOf, refuseOwn } from "./own.ts";
import { childrenOf, pidsBelow } from "./tree.ts";

const LONGEST = 5000; // milliseconds until a cgroup that stays busy is given up
const [SHORTEST_PAUSE, LONGEST_PAUSE] = [1, 100]; // milliseconds between two attempts

/** Kills the processes of a cgroup and below, and removes the directory with those below. */
export async function remove(directory: Directory): Promise<void> {
	const deadline = performance.now() + LONGEST;
	try {
		// Most cgroups are empty by now. The attempt also tells of a missing permission before anything is killed.
		if (await removeOne(directory)) return;
		refuseOwn(directory, "remove");
		for (let pause = SHORTEST_PAUSE; ; pause = Math.min(2 * pause, LONGEST_PAUSE)) {
			const isEmpty = await killUntil(directory, killForGood, deadline);
			if (isEmpty) await removeBelow(directory);
			if (isEmpty && (await removeOne(directory))) return;
			if (performance.now() + pause > deadline) throw busyError(directory);
			await new Promise((resolve) => setTimeout(resolve, pause));
		}
	} catch (error) {
		if (!isRemovedError(error)) throw error;
	}
}

/** Removes the directories below, the innermost first. What is busy stays: the caller tries again. */
async function removeBelow(directory: Directory): Promise<void> {
	for (const { name, directory: child } of childrenOf(directory)) {
		await removeBelow(child);
		await removeChild(directory, name, child);
	}
}

/** Returns false if the directory has processes or directories. */
async function removeOne(directory: Directory): Promise<boolean> {
	const parent = directory.parent();
	if (!parent) {
		throw new CgroupError(
			"busy",
			`cannot remove ${directory.path}: it is the root of a mount`,
			"remove the groups below one by one, or open the directory through a mount that shows more",
		);
	}
	using _ = parent.fd;
	return await removeChild(parent, directory.name, directory);
}

async function removeChild(parent: Directory, name: string | Buffer, child: Directory): Promise<boolean> {
	return endingLoops([idOf(child)], async () => {
		try {
			// Where another program has removed the directory, a new one may have the name by now.
			if (!child.removed) await parent.removeInHelper(name);
		} catch (error) {
			if (error instanceof SyscallError && error.code === "EBUSY") return false;
			if (!child.removed) throw error;
		}
		return true;
	});
}

function busyError(directory: Directory): CgroupError {
	const pids = pidsBelow(directory);
	return new CgroupError(
		"busy",
		`cannot remove ${directory.path}: after ${LONGEST / 1000} s it still has the processes ${pids.join(", ")}`,
		"look at the state of the processes in /proc: D waits for a device or a file system, and cannot be killed; 0 is a process of another pid namespace",
		{ pids },
	);
}
