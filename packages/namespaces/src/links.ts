import type { NamespaceKind } from "@nearfar/core";
import type { PidFdNamespaceKind } from "@nearfar/pidfd";

/**
 * The names in `/proc/<pid>/ns`: the eight kinds of namespaces, and the two that new children get.
 *
 * @example
 * ```ts
 * const clocks: NamespaceLink = "time_for_children";
 * using time = Namespace.current(clocks);
 * console.log(time.kind); // time
 * ```
 */
export type NamespaceLink = PidFdNamespaceKind;

const kinds = {
	cgroup: "cgroup",
	ipc: "ipc",
	mnt: "mnt",
	net: "net",
	pid: "pid",
	pid_for_children: "pid",
	time: "time",
	time_for_children: "time",
	user: "user",
	uts: "uts",
} as const satisfies Record<NamespaceLink, NamespaceKind>;

/** All names, for error messages. */
export const linkNames = Object.keys(kinds).join(", ");

/** Returns the kind of a namespace by its name in `/proc/<pid>/ns`. `undefined`: there is no such name. */
export function kindOfLink(link: NamespaceLink): NamespaceKind | undefined {
	return typeof link === "string" && Object.hasOwn(kinds, link) ? kinds[link] : undefined;
}
