import type { LocationLike } from "@nearfar/core";
import {
	type AtFlag,
	atFlags,
	options as checkOptions,
	native,
	type OpenTreeFlag,
	openTreeFlags,
	toAt,
	wrongValue,
} from "@nearfar/core/internal";
import { type AttributeOptions, attributeWords } from "./attributes.ts";
import { adoptMount, type Mount } from "./mounted.ts";
import { join, toWord } from "./word.ts";

/** Options of {@link openTree}: flags, and attributes for a copy. */
export interface OpenTreeOptions extends AttributeOptions {
	/**
	 * Names of `OPEN_TREE_*` and `AT_*` flags in camelCase, or a number. Close-on-exec is always added. Default:
	 * none.
	 */
	flags?: readonly (OpenTreeFlag | AtFlag)[] | number;
}

const treeFlags = { ...atFlags, ...openTreeFlags } as const;

/**
 * Opens a mount, or with `clone` a detached copy of the mount. With `recursive` the copy has everything that is
 * mounted below.
 *
 * A detached copy is nowhere in the tree of mounts until {@link Mount.attach} or {@link moveMount} attaches it. If the last
 * descriptor of a copy is closed before that, the copy goes away. The descriptor can be passed to another task, which may attach
 * the copy in its own mount namespace.
 *
 * With attributes (`set`, `clear`, `atime`, `propagation`, `userns`) the call is open_tree_attr(2), and the copy has them from its
 * first moment. With `recursive` they hold for the whole copy. `clear: ["idmap"]` takes an id map away, and `userns` replaces one.
 *
 * @param at - A path, whose link at the end is followed; an open descriptor; or a `Location`, whose flags are added.
 * @param options - Flags, and attributes for the copy. Default: only close-on-exec.
 * @returns A mount by descriptor, of the current task. The caller closes it, or declares it with `using`. With the flag
 * `namespace` it is a plain `FileDescriptor` of a new mount namespace instead.
 * @throws `EINVAL` The kernel does not know a flag, or `recursive` comes without `clone`.
 * @throws `EINVAL` `clone` is asked for a mount of another mount namespace, or for an unbindable one.
 * @throws `EINVAL` `clone` without `recursive`, where something is mounted below that a more privileged namespace has locked.
 * @throws `EINVAL` The kernel does not know an attribute, or `userns` is no user namespace, has no maps, or the file system has no
 * id-mapped mounts.
 * @throws `EINVAL` `userns` is the user namespace in which the file system was mounted.
 * @throws `EPERM` `clone` is asked for without CAP_SYS_ADMIN over the mount namespace.
 * @throws `EPERM` A more privileged namespace has locked an attribute, or `userns` is the initial user namespace.
 * @throws `EPERM` `userns` is given, and the task has no CAP_SYS_ADMIN over the user namespace of the file system.
 * @throws `ENOENT` The path does not exist.
 * @throws `ENOTDIR` A part of the path is not a directory.
 * @throws `EBADF` A descriptor is not open.
 * @throws `EMFILE` The task has reached its limit of descriptors.
 * @throws `ENOSYS` The kernel is older than Linux 5.2, with attributes 6.15, or a seccomp filter does not know the call.
 * @throws `ERR_NEARFAR_CLOSED` A descriptor is closed.
 * @throws `ERR_NEARFAR_FD_TABLE_MISMATCH` A descriptor belongs to another table than the current task's.
 * @throws `ERR_NEARFAR_BATCH` A descriptor is made by another batch, which has not run yet.
 * @throws `ERR_NEARFAR_TASK_GONE` The current task has executed a program, exited or died.
 * @throws `TypeError` An argument has the wrong type, holds a NUL byte, or a name is no flag.
 * @throws `TypeError` Attributes are given without `clone` or `namespace`: the kernel would change the mount itself.
 * @throws `RangeError` A number is out of its range.
 * @example
 * ```ts
 * await using task = await Task.clone({ namespaces: ["user", "mnt"], idMap: "root" });
 * task.run(() => {
 *   using tree = openTree("/usr", { flags: ["clone", "recursive"] });
 *   moveMount(tree, "/mnt");
 * });
 * ```
 * @see open_tree(2), Linux 5.2; open_tree_attr(2), Linux 6.15; `namespace` 7.0. `clone` needs CAP_SYS_ADMIN over the mount namespace
 */
export function openTree(at: LocationLike, options?: OpenTreeOptions): Mount {
	const { flags, ...attributes } = checkOptions(options, ["flags", "set", "clear", "atime", "propagation", "userns"]);
	const asked = toWord(treeFlags, flags, "options.flags");
	const isNamespace = (asked & openTreeFlags.namespace) !== 0;
	const changes = Object.values(attributes).some((value) => value !== undefined);
	if (changes && !isNamespace && !(asked & openTreeFlags.clone)) {
		const found = Object.keys(attributes).join(", ");
		throw wrongValue("options.flags", `with "clone" beside ${found}: the kernel would change the mount itself`, flags);
	}
	const words = attributeWords(attributes);
	const place = toAt(at, "at");
	const word = join(asked, place.flags, openTreeFlags.cloexec);
	const { openTree, openTreeAttr } = native();
	const made = changes ? openTreeAttr(place.at, place.path, word, ...words) : openTree(place.at, place.path, word);
	return adoptMount(made, isNamespace);
}
