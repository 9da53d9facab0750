import type { NamespaceKind } from "@nearfar/core";

/**
 * The kinds of namespaces that a process is in, and the two that its children will be in: names in `/proc/<pid>/ns`.
 *
 * @example
 * ```ts
 * using self = PidFd.self();
 * for (const kind of ["net", "pid_for_children"] satisfies PidFdNamespaceKind[]) self.namespace(kind).close();
 * ```
 */
export type PidFdNamespaceKind = NamespaceKind | "pid_for_children" | "time_for_children";
