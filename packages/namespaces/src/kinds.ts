import type { NamespaceKind } from "@nearfar/core";
import { namespaceFlags } from "@nearfar/core/internal";

/** What is fixed about a kind of namespace. */
export interface NamespaceKindData {
	/** Its flag of clone(2), unshare(2) and setns(2), a `CLONE_NEW*`. */
	readonly flag: number;
	/** Its name in `/proc/pid/ns`. */
	readonly proc: string;
	/** The name in `/proc/pid/ns` of the one that children get, where a process can differ from its children. */
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

/** The kinds whose flags are in a word. */
export function kindsOf(flags: number): NamespaceKind[] {
	const kinds = Object.keys(namespaceKinds) as NamespaceKind[];
	return kinds.filter((kind) => (BigInt(flags) & BigInt(namespaceKinds[kind].flag)) !== 0n);
}
