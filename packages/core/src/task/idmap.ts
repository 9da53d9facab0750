import { capabilities } from "../addon/flags.generated.ts";
import { native } from "../addon/native.ts";
import { options, wrongValue } from "../arguments.ts";
import { IdMap } from "../idmap/id-map.ts";
import { type IdMapping, readMappings } from "../idmap/mapping.ts";
import { hasCapability } from "../process/capability-bits.ts";
import { nearTask } from "../target/target.ts";

/**
 * The maps of a user namespace, and how they are written.
 *
 * @example
 * ```ts
 * const idMap: IdMaps = { uids: [{ inside: 0, outside: process.getuid?.() ?? 0, count: 1 }] };
 * await using task = await Task.clone({ namespaces: ["user"], idMap });
 * ```
 */
export interface IdMaps {
	/** User ids. Default: the map stays unwritten. Refused: a map without ids. */
	uids?: Iterable<IdMapping>;
	/** Group ids. Default: the map stays unwritten. Refused: a map without ids. */
	gids?: Iterable<IdMapping>;
	/**
	 * Whether newuidmap(1) and newgidmap(1) write a map. `"auto"` (default): they write a map that the kernel would refuse from the
	 * writer itself, because the writer has no CAP_SETUID, or CAP_SETGID, and the map has more than the writer's own effective id.
	 * `"always"`, `"never"`: they write every map, or none.
	 */
	helper?: "auto" | "always" | "never";
	/**
	 * Whether setgroups(2) is denied in the namespace. `"auto"` (default): only where the kernel demands that, which is for a group
	 * map that a writer without CAP_SETGID writes itself. `"deny"`: in any case, which is right where membership of a group takes
	 * rights away. `"allow"`: never by nearfar.
	 */
	setgroups?: "auto" | "deny" | "allow";
}

/** Checked maps, none of them empty. */
export interface CheckedMaps {
	readonly uids: IdMap | undefined;
	readonly gids: IdMap | undefined;
	readonly helper: "auto" | "always" | "never";
	readonly setgroups: "auto" | "deny" | "allow";
}

const helpers = ["auto", "always", "never"] as const;
const denials = ["auto", "deny", "allow"] as const;

/**
 * Checks maps as the kernel would, with errors that say more than EINVAL.
 *
 * @param maps - As the caller has given them.
 * @param name - The name of the parameter.
 */
export function checkMaps(maps: IdMaps, name = "options.idMap"): CheckedMaps {
	const {
		uids,
		gids,
		helper = "auto",
		setgroups = "auto",
	} = options(maps, ["uids", "gids", "helper", "setgroups"], name);
	return {
		uids: uids === undefined ? undefined : checkMap(uids, `${name}.uids`),
		gids: gids === undefined ? undefined : checkMap(gids, `${name}.gids`),
		helper: choice(helper, helpers, `${name}.helper`),
		setgroups: choice(setgroups, denials, `${name}.setgroups`),
	};
}

function choice<T>(value: T, allowed: readonly T[], name: string): T {
	if (allowed.includes(value)) return value;
	throw wrongValue(name, `one of ${allowed.map((each) => `"${each}"`).join(", ")}`, value);
}

function checkMap(mappings: Iterable<IdMapping>, name: string): IdMap {
	const map = new IdMap(readMappings(mappings, name));
	if (map.count > 0) return map;
	throw wrongValue(name, "a map with at least one id: the kernel takes no empty map", mappings);
}

/**
 * Returns the ids inside if a new task of this process may write the maps itself: one id each, which has to be the effective id
 * of this process. The kernel then asks for no privilege, but for setgroups(2) to be denied. Node with CAP_SETGID writes the maps
 * from outside instead, so that the namespace keeps setgroups(2).
 */
export function ownMap({ uids, gids, helper, setgroups }: CheckedMaps): [uid: number, gid: number] | undefined {
	const [user, group] = [uids?.mappings[0], gids?.mappings[0]];
	if (!user || !group || uids?.count !== 1 || gids?.count !== 1) return undefined;
	if (helper === "always" || setgroups === "allow") return undefined;
	const [uid, gid, [effective = 0n]] = nearTask().run(() => [
		native().geteuid(),
		native().getegid(),
		native().capget(0),
	]);
	const denies = setgroups === "deny" || !hasCapability(effective, capabilities.setgid);
	return denies && user.outside === uid && group.outside === gid ? [user.inside, group.inside] : undefined;
}

/**
 * Returns the ids inside and the ids outside if a task that a task clones is to write the maps itself: one id each, without a helper
 * and with setgroups(2) denied. The kernel takes no other ids outside than those of the cloning task.
 */
export function nestedOwnMap({ uids, gids, helper, setgroups }: CheckedMaps): number[] | undefined {
	const [user, group] = [uids?.mappings[0], gids?.mappings[0]];
	if (!user || !group || uids?.count !== 1 || gids?.count !== 1) return undefined;
	if (helper !== "never" || setgroups !== "deny") return undefined;
	return [user.inside, group.inside, user.outside, group.outside];
}
