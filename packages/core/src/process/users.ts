import { native } from "../addon/native.ts";
import { id, outOfRange, text, wrongType } from "../arguments.ts";
import { NearfarError } from "../errors.ts";
import { nearTask } from "../target/target.ts";

const LARGEST_ID = 2 ** 32 - 2; // the next number means "unchanged" in system calls
/** The most supplementary groups that the kernel allows, NGROUPS_MAX. */
export const MOST_GROUPS = 65536;
const SHOWN = 100; // characters of a name in a message

/** The name and the ids of a user. */
export interface UserIds {
	readonly name: string;
	readonly uid: number;
	readonly gid: number;
	/** The groups, ascending and without duplicates. Empty if they were not asked for. */
	readonly groups: number[];
}

/**
 * Returns the ids of a user, as the C library of Node knows them. Always asks near, also while a task or a batch is current. Asks
 * anew every time, because the answer may change while Node runs.
 *
 * @param user - A name, or a user id. A string is a name in any case, also one of digits.
 * @param parameter - The name of the parameter for error messages.
 * @param asked - `gid`: the group id in place of the user's own. `groups`: `false` if the caller does not need the groups.
 * Default: `true`.
 * @throws `ERR_NEARFAR_UNKNOWN_USER` No user has the name or the id.
 * @throws `RangeError` The user has an id that is none, or more than 65536 groups.
 */
export function resolveUser(
	user: string | number,
	parameter = "user",
	{ gid, groups = true }: { gid?: number | undefined; groups?: boolean } = {},
): UserIds {
	checkUser(user, parameter);
	const found = nearTask().run(() =>
		typeof user === "string" ? native().findUserByName(user, gid, groups) : native().findUserById(user, gid, groups),
	);
	if (!found) throw unknownUser(user);
	// A file may have such numbers, and the kernel would read them as "unchanged".
	for (const each of [found.uid, found.gid, ...found.groups]) {
		if (each > LARGEST_ID) throw outOfRange(parameter, `a user with ids from 0 to ${LARGEST_ID}`, user);
	}
	if (found.groups.length > MOST_GROUPS) throw outOfRange(parameter, `a user in at most ${MOST_GROUPS} groups`, user);
	return found;
}

/** Checks that a value is a name or a user id. */
export function checkUser(user: unknown, parameter: string): void {
	if (typeof user === "string") text(user, parameter);
	else if (typeof user === "number") id(user, parameter);
	else throw wrongType(parameter, "the name of a user or a user id", user);
}

function unknownUser(user: string | number): NearfarError {
	if (typeof user === "number") return new NearfarError("UNKNOWN_USER", `no user has the id ${user}`);
	const name = user.length > SHOWN ? `${user.slice(0, SHOWN)}…` : user;
	const help = name === user && /^\d+$/.test(user) ? `: a user id is given as a number, ${user}, not as a string` : "";
	return new NearfarError("UNKNOWN_USER", `no user has the name ${JSON.stringify(name)}${help}`);
}
