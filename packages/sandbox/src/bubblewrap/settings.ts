import { existsSync, readFileSync } from "node:fs";
import type { NamespaceKind } from "@nearfar/core";
import { Failure } from "./failure.ts";
import type { Invocation } from "./operations.ts";

/** Ids of a process. */
export interface Ids {
	readonly uid: number;
	readonly gid: number;
}

/** What the options come to on this host. */
export interface Settings {
	/** The kinds of namespaces that are new, beside that of mounts. */
	readonly unshare: ReadonlySet<NamespaceKind>;
	/** Whether the user namespace is new, or that of `--userns`. */
	readonly otherUsers: boolean;
	/** Ids of this process. */
	readonly real: Ids;
	/** Ids of the command. */
	readonly inside: Ids;
	/** Ids that the first user namespace gives to this process. */
	readonly first: Ids;
	/** Whether the command lives in a second user namespace below the first one. */
	readonly nested: boolean;
	/** Whether the command is another process than the first one of the sandbox. */
	readonly separate: boolean;
	/** Whether somebody outside maps the ids of the user namespace. */
	readonly mappedOutside: boolean;
}

/**
 * Refuses options that exclude each other, and settles the rest.
 *
 * @throws {@link Failure} Options exclude each other, or one needs another.
 */
export function settle(invocation: Invocation, real: Ids): Settings {
	const { userns, usernsBlockFd, disableUserns, asPid1, locks, syncFd } = invocation;
	refuseContradictions(invocation);
	const unshare = new Set<NamespaceKind>(invocation.unshare);
	if (real.uid !== 0 && userns === undefined) unshare.add("user");
	if (invocation.tryUnshare.has("user") && areUserNamespacesPossible()) unshare.add("user");
	const hasCgroups = existsSync("/proc/self/ns/cgroup");
	if (unshare.has("cgroup") && !hasCgroups) {
		throw new Failure("Cannot create new cgroup namespace because the kernel does not support it");
	}
	if (invocation.tryUnshare.has("cgroup") && hasCgroups) unshare.add("cgroup");
	const otherUsers = unshare.has("user") || userns !== undefined;
	const inside = { uid: invocation.uid ?? real.uid, gid: invocation.gid ?? real.gid };
	for (const key of ["uid", "gid"] as const) {
		if (!otherUsers && inside[key] !== real[key]) {
			throw new Failure(`Specifying --${key} requires --unshare-user or --userns`);
		}
	}
	refuseWithout(invocation, unshare);
	const mappedOutside = usernsBlockFd !== undefined;
	// A devpts needs the id 0 of its user namespace.
	const needsRoot = invocation.operations.some(({ kind }) => kind === "dev");
	const first = needsRoot ? { uid: 0, gid: 0 } : inside;
	const differs = first.uid !== inside.uid || first.gid !== inside.gid;
	return {
		unshare,
		otherUsers,
		real,
		inside,
		first,
		nested: unshare.has("user") && !mappedOutside && (differs || disableUserns),
		separate: !asPid1 && (unshare.has("pid") || locks.length > 0 || syncFd !== undefined),
		mappedOutside,
	};
}

function refuseContradictions(invocation: Invocation): void {
	const { unshare, tryUnshare, userns, usernsBlockFd, infoFd, disableUserns } = invocation;
	const refuseIf = (wrong: boolean, text: string) => {
		if (wrong) throw new Failure(text);
	};
	refuseIf(usernsBlockFd !== undefined && !unshare.has("user"), "--userns-block-fd requires --unshare-user");
	refuseIf(usernsBlockFd !== undefined && infoFd === undefined, "--userns-block-fd requires --info-fd");
	refuseIf(userns !== undefined && unshare.has("user"), "--userns is not compatible with --unshare-user");
	refuseIf(userns !== undefined && tryUnshare.has("user"), "--userns is not compatible with --unshare-user-try");
	refuseIf(disableUserns && !unshare.has("user"), "--disable-userns requires --unshare-user");
	refuseIf(disableUserns && usernsBlockFd !== undefined, "--disable-userns is not compatible with --userns-block-fd");
}

function refuseWithout({ hostname, asPid1, locks }: Invocation, unshare: ReadonlySet<NamespaceKind>): void {
	if (hostname !== undefined && !unshare.has("uts")) throw new Failure("Specifying --hostname requires --unshare-uts");
	if (asPid1 && !unshare.has("pid")) throw new Failure("Specifying --as-pid-1 requires --unshare-pid");
	if (asPid1 && locks.length > 0) throw new Failure("Specifying --as-pid-1 and --lock-file is not permitted");
}

function areUserNamespacesPossible(): boolean {
	if (!existsSync("/proc/self/ns/user")) return false;
	try {
		return readFileSync("/proc/sys/user/max_user_namespaces", "utf8") !== "0\n";
	} catch {
		return true; // there is no such limit to be read
	}
}
