import type { NamespaceKind } from "@nearfar/core";
import { namespaceFlags } from "@nearfar/core/internal";

/** The fixed facts about a kind of namespace. */
export interface NamespaceKindData {
	/** The `CLONE_NEW*` flag of clone(2), unshare(2) and setns(2). */
	readonly flag: number;
	/** The name in `/proc/<pid>/ns`. */
	readonly proc: string;
	/**
	 * The name in `/proc/<pid>/ns` of the namespace that new children get, for kinds in which a process can differ
	 * from its children.
	 */
	readonly forChildren?: string;
}

/**
 * The eight kinds of namespaces, by name.
 *
 * @example
 * ```ts
 * console.log(namespaceKinds.pid); // { flag: 536870912, proc: "pid", forChildren: "pid_for_children" }
 * ```
 * @see namespaces(7)
 */
export const namespaceKinds: Readonly<Record<NamespaceKind, NamespaceKindData>> = {
	cgroup: { flag: namespaceFlags.cgroup, proc: "cgroup" },
	ipc: { flag: namespaceFlags.ipc, proc: "ipc" },
	mnt: { flag: namespaceFlags.mnt, proc: "mnt" },
	net: { flag: namespaceFlags.net, proc: "net" },
	pid: { flag: namespaceFlags.pid, proc: "pid", forChildren: "pid_for_children" },
	time: { flag: namespaceFlags.time, proc: "time", forChildren: "time_for_children" },
	user: { flag: namespaceFlags.user, proc: "user" },
	uts: { flag: namespaceFlags.uts, proc: "uts" },
};

/** Returns the kinds whose flags are set in a word. */
export function kindsOf(flags: number): NamespaceKind[] {
	const kinds = Object.keys(namespaceKinds) as NamespaceKind[];
	return kinds.filter((kind) => (BigInt(flags) & BigInt(namespaceKinds[kind].flag)) !== 0n);
}
