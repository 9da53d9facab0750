import { FileDescriptor, Location, type LocationLike } from "@nearfar/core";
import {
	type AtFlag,
	atFlags,
	options as checkOptions,
	type MoveMountFlag,
	moveMountFlags,
	native,
	type OpenTreeFlag,
	openTreeFlags,
	toAt,
} from "@nearfar/core/internal";
import { join, toWord } from "./word.ts";

/** How {@link openTree} opens. */
export interface OpenTreeOptions {
	/** Names of `OPEN_TREE_*` and `AT_*` flags in camelCase, or a number. Default: none. Close-on-exec is always added. */
	flags?: readonly (OpenTreeFlag | AtFlag)[] | number;
}

/** How {@link moveMount} moves. */
export interface MoveMountOptions {
	/** Names of `MOVE_MOUNT_*` flags in camelCase, or a number. Default: none. What the locations say is added. */
	flags?: readonly MoveMountFlag[] | number;
}

const treeFlags = { ...atFlags, ...openTreeFlags } as const;

/**
 * Opens a mount, or with `clone` a detached copy of it; `recursive` copies what is mounted below as well.
 *
 * A detached copy is nowhere in the tree until {@link moveMount} attaches it, and goes away when its last descriptor is
 * closed unless it was. It can be passed to another task, whose mount namespace it may be attached in.
 *
 * @param at - A path, whose link at the end is followed, an open descriptor, or a `Location`, whose flags are added.
 * @returns A descriptor of the current task; close it or declare it with `using`.
 * @throws `EINVAL` an unknown flag, `recursive` without `clone`, a copy of another namespace's mount or of an unbindable
 * one · `EPERM` `clone` without CAP_SYS_ADMIN over the mount namespace · `ENOENT` · `EBADF` · `ENOTDIR` · `EMFILE`.
 * `TypeError`, `RangeError` wrong arguments
 * @example
 * ```ts
 * await using task = await Task.clone({ namespaces: ["user", "mnt"], idMap: "root" });
 * task.run(() => {
 *   using tree = openTree("/usr", { flags: ["clone", "recursive"] });
 *   moveMount(tree, "/mnt");
 * });
 * ```
 * @see open_tree(2), Linux 5.2; `clone` needs CAP_SYS_ADMIN over the mount namespace
 */
export function openTree(at: LocationLike, options?: OpenTreeOptions): FileDescriptor {
	const { flags } = checkOptions(options);
	const place = toAt(at, "at");
	const word = join(toWord(treeFlags, flags, "options.flags"), place.flags, openTreeFlags.cloexec);
	return FileDescriptor.adopt(native().openTree(place.at, place.path, word));
}

/**
 * Moves a mount from one place to another, or attaches one that is detached.
 *
 * The kernel does not follow a link at the end of either path, nor trigger an automount, unless told to: a path given as
 * it is keeps to that; a `Location` says it itself, and follows by default.
 *
 * @param from - A mount point, or a descriptor from {@link openTree}.
 * @param to - Where to: a directory for a directory, a file for a file.
 * @throws `EINVAL` not a mount, a directory on a file or the reverse, a mount of another namespace, a locked or shared
 * parent, an unknown flag, `beneath` a place where nothing is mounted · `EPERM` no CAP_SYS_ADMIN over the mount namespace ·
 * `ELOOP` below itself · `EBADF` · `ENOENT` · `ENOTDIR`. `TypeError`, `RangeError` wrong arguments
 * @example
 * ```ts
 * await using task = await Task.clone({ namespaces: ["user", "mnt"], idMap: "root" });
 * task.run(() => {
 *   mount("scratch", "/mnt", "tmpfs");
 *   moveMount("/mnt", "/tmp");
 * });
 * ```
 * @see move_mount(2), Linux 5.2, `setGroup` 5.15, `beneath` 6.5; CAP_SYS_ADMIN over the mount namespace
 */
export function moveMount(from: LocationLike, to: LocationLike, options?: MoveMountOptions): void {
	const { flags } = checkOptions(options);
	const [source, target] = [toAt(from, "from"), toAt(to, "to")];
	const { fSymlinks, fAutomounts, fEmptyPath, tSymlinks, tAutomounts, tEmptyPath } = moveMountFlags;
	const word = join(
		toWord(moveMountFlags, flags, "options.flags"),
		lookup(from, [fSymlinks, fAutomounts, fEmptyPath]),
		lookup(to, [tSymlinks, tAutomounts, tEmptyPath]),
	);
	native().moveMount(source.at, source.path, target.at, target.path, word);
}

/** What a location says about its look-up; move_mount(2) has flags for what others do unasked. */
function lookup(location: LocationLike, [symlinks, automounts, emptyPath]: [number, number, number]): number {
	if (location instanceof FileDescriptor) return emptyPath;
	if (!(location instanceof Location)) return 0;
	return join(
		location.symlinks ? symlinks : 0,
		location.automount ? automounts : 0,
		location.emptyPath ? emptyPath : 0,
	);
}
