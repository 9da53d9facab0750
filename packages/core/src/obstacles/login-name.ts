import { resolveUser } from "../process/users.ts";

/** Returns the login name of a uid, or the uid as a text if /etc/passwd has no line for it. */
export function loginName(uid: number): string {
	try {
		return resolveUser(uid, "uid", { groups: false }).name ?? `${uid}`;
	} catch {
		return `${uid}`;
	}
}

/** Returns the files that have no line for a user, of whom the ranges are known. */
export function filesWithout(uids: readonly unknown[], gids: readonly unknown[]): string[] {
	return [...(uids.length === 0 ? ["/etc/subuid"] : []), ...(gids.length === 0 ? ["/etc/subgid"] : [])];
}
