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
	/** True for the kinds that one thread of a process may make and enter for itself. */
	readonly thread: boolean;
}

/**
 * The eight kinds of namespaces, by name.
 *
 * @example
 * ```ts
 * console.log(namespaceKinds.pid); // { flag: 536870912, proc: "pid", forChildren: "pid_for_children", thread: false }
 * ```
 * @see namespaces(7)
 */
export const namespaceKinds: Readonly<Record<NamespaceKind, NamespaceKindData>> = {
	cgroup: { flag: namespaceFlags.cgroup, proc: "cgroup", thread: true },
	ipc: { flag: namespaceFlags.ipc, proc: "ipc", thread: true },
	mnt: { flag: namespaceFlags.mnt, proc: "mnt", thread: true },
	net: { flag: namespaceFlags.net, proc: "net", thread: true },
	pid: { flag: namespaceFlags.pid, proc: "pid", forChildren: "pid_for_children", thread: false },
	time: { flag: namespaceFlags.time, proc: "time", forChildren: "time_for_children", thread: false },
	user: { flag: namespaceFlags.user, proc: "user", thread: false },
	uts: { flag: namespaceFlags.uts, proc: "uts", thread: true },
};

/** Returns the kinds whose flags are set in a word. */
export function kindsOf(flags: number): NamespaceKind[] {
	const kinds = Object.keys(namespaceKinds) as NamespaceKind[];
	return kinds.filter((kind) => (BigInt(flags) & BigInt(namespaceKinds[kind].flag)) !== 0n);
}
