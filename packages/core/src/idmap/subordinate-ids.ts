import { native } from "../addon/native.ts";
import { NearfarError } from "../errors.ts";
import { checkUser, resolveUser } from "../process/users.ts";
import { nearTask } from "../target/target.ts";
import { linesOf, readEtcFile } from "./etc-file.ts";
import { getsubids } from "./getsubids.ts";
import { END_OF_IDS } from "./mapping.ts";
import { type IdRange, mergeRanges } from "./range.ts";

/**
 * Returns the ids that a user may map into user namespaces besides the own one: the subordinate ids.
 *
 * The answer is about Node's own `/etc`, whatever task is current. A line of `/etc/subuid` or `/etc/subgid` belongs to the user if it
 * begins with the name or with the uid in decimal. Malformed lines are skipped, and a missing file is empty. Where the line
 * `subid:` of `/etc/nsswitch.conf` names another source than `files`, the program getsubids(1) is run instead. An unknown user has
 * no ranges, and that is no error.
 *
 * @param user - The name or the uid of a user. Default: the real uid of Node, by which newuidmap(1) goes. A string is a name in any
 * case.
 * @returns The ranges, sorted, and joined where they touch or overlap. `source` says where they come from.
 * @throws `ENOENT` The program getsubids is needed, and is not in Node's `PATH`.
 * @throws `EACCES` Node may not read a file, or not execute getsubids.
 * @throws `ERR_NEARFAR_EXIT` The program getsubids has ended by a signal, or with another code than 0 and 1.
 * @throws `ERR_NEARFAR_FORMAT` A file is not a regular file, or longer than 16 MiB.
 * @throws `TypeError` `user` is neither a string nor a number, or has a NUL byte.
 * @throws `RangeError` `user` is a number, and not an id.
 * @example
 * ```ts
 * const { uids, gids, source } = await subordinateIds("root");
 * console.log(uids, gids, source); // [] [] files: on most hosts root has none and needs none
 * ```
 * @see subuid(5), subgid(5), getsubids(1); no privilege
 */
export async function subordinateIds(
	user?: string | number,
): Promise<{ uids: IdRange[]; gids: IdRange[]; source: "files" | "getsubids" }> {
	if (user !== undefined) checkUser(user, "user");
	const { name, uid } = identify(user ?? nearTask().run(() => native().getuid()));
	const owners = [name, uid].filter((owner) => owner !== undefined);
	if (namesService(await readEtcFile("/etc/nsswitch.conf"))) {
		const [owner] = owners;
		if (owner === undefined) return { uids: [], gids: [], source: "getsubids" };
		const uids = fromProgram(await getsubids(owner));
		return { uids, gids: fromProgram(await getsubids("-g", owner)), source: "getsubids" };
	}
	const uids = fromFile(await readEtcFile("/etc/subuid"), owners);
	return { uids, gids: fromFile(await readEtcFile("/etc/subgid"), owners), source: "files" };
}

/** Returns the name and the uid of a user as texts, as far as Node's C library knows them. A text that no line can begin with is no name. */
function identify(user: string | number): { name?: string | undefined; uid?: string | undefined } {
	if (typeof user === "string" && !/^[^#:\n][^:\n]*$/.test(user)) return {};
	try {
		const { name, uid } = resolveUser(user, "user", { groups: false });
		return { name: typeof user === "string" ? user : name, uid: String(uid) };
	} catch (error) {
		if (!(error instanceof NearfarError) || error.code !== "ERR_NEARFAR_UNKNOWN_USER") throw error;
		return typeof user === "string" ? { name: user } : { uid: String(user) };
	}
}

/** True when the first line `subid:` of an nsswitch.conf(5) names another source than `files`. */
function namesService(text: string): boolean {
	for (const line of linesOf(text)) {
		const sources = /^subid:([^#]*)/i.exec(line)?.[1]?.trim();
		if (sources) return sources.split(/\s+/).some((source) => source !== "files");
	}
	return false;
}

/** Returns the ranges of the lines `owner:start:count` that one of the owners has. */
function fromFile(text: string, owners: readonly string[]): IdRange[] {
	const prefixes = owners.map((owner) => `${owner}:`);
	const ranges: IdRange[] = [];
	for (const line of linesOf(text)) {
		const prefix = prefixes.find((each) => line.startsWith(each));
		if (prefix !== undefined) ranges.push(...toRanges(/^(\d+):(\d+)$/.exec(line.slice(prefix.length))));
	}
	return mergeRanges(ranges);
}

/** Returns the ranges of the lines `0: owner start count` of getsubids. */
function fromProgram(output: string): IdRange[] {
	return mergeRanges([...linesOf(output)].flatMap((line) => toRanges(/^\d+: .* (\d+) (\d+)$/.exec(line))));
}

/**
 * Returns the range of a line as a list, which is empty for numbers that are no range. newuidmap(1) reads a number with a zero in front as
 * octal, so that another id may be meant: such a line is malformed, too.
 */
function toRanges(found: readonly string[] | null): IdRange[] {
	const [, first = "", length = ""] = found ?? [];
	if ([first, length].some((digits) => /^$|^0./.test(digits))) return [];
	const [start, count] = [Number(first), Number(length)];
	return count > 0 && start < END_OF_IDS && start + count <= END_OF_IDS ? [{ start, count }] : [];
}
