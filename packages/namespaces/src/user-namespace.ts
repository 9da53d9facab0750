import { type IdMaps, Task } from "@nearfar/core";
import { wrongValue } from "@nearfar/core/internal";
import { Namespace } from "./namespace.ts";

/**
 * Makes a user namespace with maps and without any process, for id-mapped mounts or to be joined later.
 *
 * A task is cloned in the namespace, and ends when the namespace is open: the namespace of a process that has ended cannot be
 * opened.
 *
 * @param maps - The maps as for `Task.clone`: `"identity"` the present user and group, each to itself, `"root"` each of them to 0,
 * or ranges.
 * @returns The namespace, a descriptor of this process, which lives as long as the descriptor. Close it, or declare it with `using`.
 * @throws `TypeError` `maps` is neither an object nor one of the two names.
 * @throws Any error that `Task.clone` throws for the namespace and its maps.
 * @example
 * ```ts
 * using namespace = await userNamespace("root");
 * console.log(namespace.kind, namespace.ownerUid() === process.geteuid?.()); // user true
 * ```
 * @see user_namespaces(7); no privilege for ids of one's own
 */
export async function userNamespace(maps: IdMaps | "identity" | "root"): Promise<Namespace> {
	if (maps !== "identity" && maps !== "root" && (typeof maps !== "object" || maps === null)) {
		throw wrongValue("maps", '"identity", "root" or an object of uids and gids', maps);
	}
	await using task = await Task.clone({ namespaces: ["user"], idMap: maps });
	// The task itself opens the namespace: the kernel refuses that to an ordinary user from outside, because the task is not dumpable.
	using inside = task.run(() => Namespace.current("user"));
	return task.get(inside);
}
