import { capabilities } from "../addon/flags.generated.ts";
import { IdMap } from "../idmap/id-map.ts";
import { subordinateIds } from "../idmap/subordinate-ids.ts";
import { filesWithout, loginName } from "../obstacles/login-name.ts";
import type { ObstacleValues } from "../obstacles/obstacle.ts";
import { hasCapability } from "../process/capability-bits.ts";
import type { Answer } from "./features.ts";
import type { Facts } from "./host.ts";
import { refused, type Tasks, Worker } from "./tasks.ts";

/** The answers about maps of ranges of ids. */
export interface Ids {
	readonly ids: { idMapRanges: Answer; subordinateIds: Answer };
	/** The files that have no line for the user. `undefined`: the process has the lines, or needs none. */
	readonly withoutIds: ObstacleValues["no-subordinate-ids"] | undefined;
}

/**
 * Tries a map of the own ids and the first subordinate ids. A process with CAP_SETUID and CAP_SETGID needs no subordinate ids: the
 * attempt then uses the ids of its own user namespace.
 */
export async function tryIds(tasks: Tasks, facts: Facts): Promise<Ids> {
	const user = process.getuid?.() ?? facts.uid;
	let found: Awaited<ReturnType<typeof subordinateIds>>;
	try {
		found = await subordinateIds(user);
	} catch (error) {
		const answer = refused(error, "execve");
		return { ids: { idMapRanges: { works: undefined }, subordinateIds: answer }, withoutIds: undefined };
	}
	const { uids, gids } = found;
	const count = Math.min(...[uids, gids].map((ranges) => ranges.reduce((all, range) => all + range.count, 0)));
	const files = hasBoth(facts.capabilities) ? [] : filesWithout(uids, gids);
	const withoutIds = files.length > 0 ? { user: loginName(user), files } : undefined;
	const subordinate: Answer = count > 0 ? { works: true, value: count } : { works: false, value: 0 };
	const [uid, gid] = [uids[0], gids[0]];
	const own = hasBoth(facts.capabilities) && !(uid && gid) ? ownRanges(facts) : undefined;
	const idMap =
		own ??
		(uid && gid
			? {
					uids: new IdMap([
						[0, facts.uid, 1],
						[1, uid.start, uid.count],
					]),
					gids: new IdMap([
						[0, facts.gid, 1],
						[1, gid.start, gid.count],
					]),
				}
			: undefined);
	return { ids: { idMapRanges: await tryMap(tasks, idMap), subordinateIds: subordinate }, withoutIds };
}

async function tryMap(tasks: Tasks, idMap: { uids: IdMap; gids: IdMap } | undefined): Promise<Answer> {
	if (!idMap) return { works: undefined };
	const worker = new Worker(tasks, { namespaces: ["user"], idMap });
	const answer = await worker.start();
	await worker.end();
	return answer;
}

function hasBoth(effective: bigint): boolean {
	return [capabilities.setuid, capabilities.setgid].every((bit) => hasCapability(effective, bit));
}

/** Returns maps of two ids, or of the only one, that the user namespace of this process has. */
function ownRanges({ uidMap, gidMap }: Facts): { uids: IdMap; gids: IdMap } | undefined {
	const [uids, gids] = [uidMap, gidMap].map((text) => {
		const [, first, , count] = /^\s*(\d+)\s+(\d+)\s+(\d+)/.exec(text) ?? [];
		return first === undefined ? undefined : new IdMap([[0, Number(first), Math.min(Number(count), 2)]]);
	});
	return uids && gids && { uids, gids };
}
