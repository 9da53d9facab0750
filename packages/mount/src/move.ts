import { FileDescriptor, Location, type LocationLike } from "@nearfar/core";
import { options as checkOptions, type MoveMountFlag, moveMountFlags, native, toAt } from "@nearfar/core/internal";
import { join, toWord } from "./word.ts";

/** Options of {@link moveMount}. */
export interface MoveMountOptions {
	/** Names of `MOVE_MOUNT_*` flags in camelCase, or a number. The flags of the locations are added. Default: none. */
	flags?: readonly MoveMountFlag[] | number;
}

/**
 * Moves a mount from one place to another, or attaches a detached one.
 *
 * The kernel does not follow a link at the end of either path and does not trigger an automount, unless a flag says
 * so. A plain path adds no such flag. A `Location` adds the flags for its own settings, and follows links by default.
 *
 * @param from - A mount point, or a descriptor from {@link openTree}.
 * @param to - The new place: a directory for a directory, a file for a file.
 * @param options - Flags. Default: those of the locations alone.
 * @throws `EINVAL` `from` is not a mount, or belongs to another mount namespace.
 * @throws `EINVAL` One place is a directory and the other one a file.
 * @throws `EINVAL` The parent mount is shared, or a more privileged namespace has locked the mount.
 * @throws `EINVAL` The kernel does not know a flag, or `beneath` names a place where nothing is mounted.
 * @throws `EPERM` The task has no CAP_SYS_ADMIN over the mount namespace.
 * @throws `ELOOP` The mount would move below itself.
 * @throws `EBADF` A descriptor is not open.
 * @throws `ENOENT` A path does not exist.
 * @throws `ENOTDIR` A part of a path is not a directory.
 * @throws `ERR_NEARFAR_TASK_GONE` The current task has executed a program, exited or died.
 * @throws `TypeError` An argument has the wrong type, holds a NUL byte, or a name is no flag.
 * @throws `RangeError` A number is out of its range.
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
	const { flags } = checkOptions(options, ["flags"]);
	const [source, target] = [toAt(from, "from"), toAt(to, "to")];
	const { fSymlinks, fAutomounts, fEmptyPath, tSymlinks, tAutomounts, tEmptyPath } = moveMountFlags;
	const word = join(
		toWord(moveMountFlags, flags, "options.flags"),
		lookup(from, [fSymlinks, fAutomounts, fEmptyPath]),
		lookup(to, [tSymlinks, tAutomounts, tEmptyPath]),
	);
	native().moveMount(source.at, source.path, target.at, target.path, word);
}

/** Returns the flags for what a location says about its lookup: move_mount(2) follows nothing without them. */
function lookup(location: LocationLike, [symlinks, automounts, emptyPath]: [number, number, number]): number {
	if (location instanceof FileDescriptor) return emptyPath;
	if (!(location instanceof Location)) return 0;
	return join(
		location.symlinks ? symlinks : 0,
		location.automount ? automounts : 0,
		location.emptyPath ? emptyPath : 0,
	);
}
