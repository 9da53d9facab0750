import type { IdMap } from "../idmap/id-map.ts";
import { subordinateIds } from "../idmap/subordinate-ids.ts";
import { type AnyTask, nearTask } from "../target/target.ts";
import { findHelper } from "./find-helper.ts";
import { filesWithout, loginName } from "./login-name.ts";
import { mountsOf, statusOf } from "./look.ts";
import { say } from "./say.ts";

/**
 * Returns why newuidmap(1) or newgidmap(1) has failed.
 *
 * @param helper - The name of the program.
 * @param map - The map that the program was to write.
 * @param by - The task that the program was cloned from.
 * @param stderr - The error output of the program.
 */
export async function hintForHelper(
	helper: "newuidmap" | "newgidmap",
	map: IdMap,
	by: AnyTask,
	stderr: string,
): Promise<string | undefined> {
	try {
		if (/Cannot determine your user name/.test(stderr)) return withoutName(helper, by);
		return withoutPrivilege(helper, by) ?? (await withoutIds(helper, map, by));
	} catch {
		return undefined; // the failure of the helper is the error to report
	}
}

function withoutName(helper: string, by: AnyTask): string | undefined {
	const uid = statusOf(by)?.uid;
	return `the uid${uid === undefined ? "" : ` ${uid}`} has no line in /etc/passwd, and ${helper} goes by the login name: as the administrator add the user, useradd --uid ${uid ?? "UID"} NAME; or map one id, idMap: "root" or "identity", which needs no helper`;
}

function withoutPrivilege(helper: "newuidmap" | "newgidmap", by: AnyTask): string | undefined {
	const status = statusOf(by);
	if (!status || status.uid === 0) return undefined;
	if (status.noNewPrivs) return say("no-new-privs", {});
	const { problem } = findHelper(helper, mountsOf(nearTask()) ?? []);
	return problem && say("helper-not-setuid", problem);
}

async function withoutIds(helper: "newuidmap" | "newgidmap", map: IdMap, by: AnyTask): Promise<string | undefined> {
	const status = statusOf(by);
	if (!status) return undefined;
	const isUids = helper === "newuidmap";
	const file = isUids ? "/etc/subuid" : "/etc/subgid";
	const { uids, gids } = await subordinateIds(status.uid);
	const ranges = isUids ? uids : gids;
	const user = loginName(status.uid);
	const files = filesWithout(uids, gids);
	if (ranges.length === 0) return say("no-subordinate-ids", { user, files });
	const own = isUids ? status.uid : status.gid;
	const outside = map.mappings.find(
		(line) =>
			!(line.count === 1 && line.outside === own) &&
			!ranges.some(({ start, count }) => start <= line.outside && line.outside + line.count <= start + count),
	);
	if (!outside) return undefined;
	const allowed = ranges.map(({ start, count }) => `${start} to ${start + count - 1}`).join(", ");
	const last = outside.outside + outside.count - 1;
	return `${file} gives the user ${user} the ids ${allowed}, and the map has ${outside.outside} to ${last} outside: take the ids from subordinateIds(), or as the administrator add the line ${user}:${outside.outside}:${outside.count} to ${file}`;
}
