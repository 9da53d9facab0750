// Maps every id that a user may map: the user's own one to 0, and the subordinate ids after it.
import { type CloneOptions, Task } from "@nearfar/core";
import { IdAllocation, IdMap, type IdRange, subordinateIds } from "@nearfar/namespaces";

/** Clones a task that is root in a user namespace with all subordinate ids of this user. */
export async function cloneWithAllIds(options: Omit<CloneOptions, "idMap"> = {}): Promise<Task> {
	const { uids, gids } = await subordinateIds();
	return Task.clone({
		...options,
		namespaces: ["user", ...(options.namespaces ?? [])],
		// For an ordinary user newuidmap(1) and newgidmap(1) write maps of more than one id.
		idMap: { uids: mapAll(process.geteuid?.() ?? 0, uids), gids: mapAll(process.getegid?.() ?? 0, gids) },
	});
}

/** Returns the map of an id to 0, and of ranges to the ids from 1 on. The ranges need not be neighbours. */
export function mapAll(own: number, ranges: readonly IdRange[]): IdMap {
	const root = new IdMap([[0, own, 1]]);
	const ids = new IdAllocation(ranges);
	if (isIn(own, ranges)) ids.reserve({ start: own, count: 1 }); // an id has one place in a map
	return ids.free === 0 ? root : root.concat(ids.allocateMap(ids.free, 1));
}

function isIn(id: number, ranges: readonly IdRange[]): boolean {
	return ranges.some(({ start, count }) => start <= id && id < start + count);
}
