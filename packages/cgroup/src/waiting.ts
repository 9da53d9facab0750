import { Changes } from "./changes.ts";
import type { Directory } from "./directory.ts";

/** What `cgroup.events` says. */
export interface State {
	readonly populated: boolean;
	readonly frozen: boolean;
}

const FILE = "cgroup.events";

/** Nothing tells of the removal of a cgroup, or of a thaw before the last process was frozen. So a wait looks from time to time. */
const PATIENCE = 100; // milliseconds

/** Returns what `cgroup.events` says. */
export function parseState(text: string): State {
	return { populated: /^populated 1$/m.test(text), frozen: /^frozen 1$/m.test(text) };
}

/**
 * Waits until the state of a cgroup is the wanted one.
 *
 * @param directory - The cgroup.
 * @param isWanted - Looks at the state, and may throw to end the wait.
 * @param deadline - The end of the wait, as `performance.now()` counts. Default: none.
 * @returns false if the state was not the wanted one in time.
 * @throws `ERR_NEARFAR_CGROUP` `"removed"`: the cgroup was removed.
 */
export async function waitForState(
	directory: Directory,
	isWanted: (state: State) => boolean,
	deadline = Number.POSITIVE_INFINITY,
): Promise<boolean> {
	using file = directory.open(FILE, []);
	const isNow = () => isWanted(parseState(directory.readOpen(file, FILE)));
	if (isNow()) return true;
	using changes = new Changes([file]);
	for (let left = deadline - performance.now(); left > 0; left = deadline - performance.now()) {
		await changes.next(Math.min(left, PATIENCE));
		if (isNow()) return true;
	}
	return false;
}
