import { IdMap, subordinateIds, Task } from "@nearfar/core";
import { wall } from "./clock.ts";
import type { Row } from "./row.ts";
import { installed, spawned } from "./spawn.ts";

const COUNT = 5;

/** Measures a user namespace with the subordinate ids of an ordinary user. */
export const usernsMap: Row[] = [
	{
		name: "userns-map",
		unit: "ms",
		peerName: "unshare --map-auto true",
		bar: 0.5,
		async start() {
			const [uid = 0, gid = 0] = [process.getuid?.(), process.getgid?.()];
			if (uid === 0) return "root writes the maps itself: measure as an ordinary user";
			if (!(await installed("unshare", "--version"))) return "unshare is not installed";
			const { uids, gids } = await subordinateIds();
			const [users, groups] = [uids[0], gids[0]];
			if (!users || !groups) return "this user has no line in /etc/subuid and /etc/subgid";
			const idMap = {
				uids: new IdMap([[0, uid, 1]]).concat([{ inside: 1, outside: users.start, count: users.count }]),
				gids: new IdMap([[0, gid, 1]]).concat([{ inside: 1, outside: groups.start, count: groups.count }]),
			};
			const cloned = async () => {
				const task = await Task.clone({ namespaces: ["user"], idMap });
				await task[Symbol.asyncDispose]();
			};
			const peer = () => spawned("unshare", ["--map-auto", "--map-root-user", "true"]);
			return { ours: () => wall(COUNT, cloned), peer: () => wall(COUNT, peer) };
		},
	},
];
