import type { LocationLike } from "@nearfar/core";
import { options as checkOptions, mountAttributes, optionalBoolean, toAt } from "@nearfar/core/internal";
import { type AttributeOptions, attributeWords, mountSetattr } from "./attributes.ts";
import { closedUnless, type Mount } from "./mounted.ts";
import { placed } from "./placed.ts";
import { openTree } from "./tree.ts";

/** Options of {@link bind}: attributes of the copy, and whether it has what is mounted below. */
export interface BindOptions extends AttributeOptions {
	/** Whether the copy has everything that is mounted below the source, and the attributes reach all of it. Default: true. */
	recursive?: boolean;
}

/**
 * Makes a tree of files visible at a second place, with attributes from the first moment.
 *
 * The calls are open_tree(2) with a copy of the mount, mount_setattr(2) on the copy, and move_mount(2). So the attributes reach
 * every mount below, and only the copy, and no other process sees the copy before it has them. The source keeps its attributes.
 *
 * The copy has the attributes and the propagation of the source where the options name no other. A copy of a shared mount is a
 * peer of the source, so that a later mount below the one appears below the other. `propagation: "private"` ends that, and
 * `"slave"` keeps the direction from the source.
 *
 * Attributes that a more privileged mount namespace has set, such as `nosuid` of `/dev`, are locked. The locked attributes
 * stay, and others can be added. Only `clear` of such an attribute, or another `atime`, is refused.
 *
 * The kernel leaves out an unbindable mount below the source. The copy then shows the files that this mount covers in the source.
 *
 * Nothing is created: the target has to exist, a directory for a directory and a file for a file. `mkdir`, and `openat2` with
 * `creat`, make mount points.
 *
 * @param source - A directory or a file. A link at the end of a path is followed, unless a `Location` says no. An open
 * descriptor is the place itself, also in a detached mount.
 * @param target - The place, looked up as by {@link moveMount}: a directory for a directory, a file for a file. A path is not
 * followed at its end. A `Location` follows by default. An open descriptor is the place itself. With `null` the mount stays
 * detached.
 * @param options - Attributes of the copy, and whether it has what is mounted below the source. Default: all of it, with the
 * attributes of the source.
 * @returns Nothing with a target. With `null` a detached mount, which dissolves when it is closed: the caller closes it, or
 * declares it with `using`.
 * @throws `EPERM` The task has no CAP_SYS_ADMIN over its mount namespace, or a seccomp filter does not know the calls.
 * @throws `EPERM` A more privileged namespace has locked an attribute that `clear` or `atime` would change.
 * @throws `EPERM` `userns` is the initial user namespace, or a mount is id-mapped already. `clear: ["idmap"]` replaces the map.
 * @throws `EPERM` `userns` is given, and the task has no CAP_SYS_ADMIN over the user namespace of a file system of the copy.
 * @throws `EINVAL` The source is in another mount namespace, or is unbindable.
 * @throws `EINVAL` With `recursive: false`: something is mounted below the source that a more privileged namespace has locked.
 * @throws `EINVAL` `userns` is no user namespace, has no maps, or is the one in which a file system of the copy was mounted.
 * @throws `EINVAL` `userns` is given, and a file system of the copy has no id-mapped mounts.
 * @throws `EINVAL` The kernel does not know an attribute.
 * @throws `EINVAL` A directory goes on a file or on a link, or a file on a directory.
 * @throws `ENOENT` A path does not exist.
 * @throws `ENOTDIR` A part of a path is not a directory.
 * @throws `ELOOP` A path has more than 40 symbolic links.
 * @throws `EACCES` A directory on the way may not be searched.
 * @throws `ENAMETOOLONG` A component of a path is longer than 255 bytes, or a path longer than 4095.
 * @throws `EBADF` Other code has closed a descriptor.
 * @throws `ENOMEM` The kernel has no memory for the copy.
 * @throws `ENOSPC` The mount namespace has reached its limit of mounts (`/proc/sys/fs/mount-max`).
 * @throws `EMFILE` The task has reached its limit of descriptors. The function needs one for a moment.
 * @throws `ENOSYS` The kernel is older than Linux 5.2, with attributes 5.12, with `clear: ["idmap"]` 6.15, or a seccomp filter
 * does not know the calls.
 * @throws `ERR_NEARFAR_CLOSED` A descriptor is closed.
 * @throws `ERR_NEARFAR_FD_TABLE_MISMATCH` A descriptor belongs to another table than the current task's.
 * @throws `ERR_NEARFAR_BATCH` A descriptor is made by another batch, which has not run yet.
 * @throws `ERR_NEARFAR_TASK_GONE` The current task has executed a program, exited or died.
 * @throws `TypeError` An argument has the wrong type, holds a NUL byte, or a name is no option or attribute.
 * @throws `RangeError` A number is out of its range.
 * @example
 * ```ts
 * await using task = await Task.clone({ namespaces: ["user", "mnt"], idMap: "root" });
 * task.run(() => {
 *   bind("/usr", "/mnt", { set: ["rdonly", "nosuid"] });
 *   using etc = bind("/etc", null, { propagation: "private" });
 *   using name = etc.open("hostname"); // no other process sees the copy
 * });
 * ```
 * @see open_tree(2), mount_setattr(2), move_mount(2), Linux 5.2, attributes 5.12; CAP_SYS_ADMIN over the mount namespace
 */
export function bind(source: LocationLike, target: LocationLike, options?: BindOptions): void;
export function bind(source: LocationLike, target: null, options?: BindOptions): Mount;
export function bind(source: LocationLike, target: LocationLike | null, options?: BindOptions): Mount | undefined {
	const { recursive: asked, ...attributes } = checkOptions(options, [
		"recursive",
		"set",
		"clear",
		"atime",
		"propagation",
		"userns",
	]);
	const recursive = optionalBoolean(asked, "options.recursive") ?? true;
	const [, clear] = attributeWords(attributes);
	toAt(source, "source");
	return placed(target, () => {
		const flags = recursive ? (["clone", "recursive"] as const) : (["clone"] as const);
		// mount_setattr(2) takes no id map away.
		if (BigInt(clear) & BigInt(mountAttributes.idmap)) return openTree(source, { flags, ...attributes });
		const copy = openTree(source, { flags });
		return closedUnless(copy, () => {
			const changes = Object.values(attributes).some((value) => value !== undefined);
			if (changes) mountSetattr(copy, { ...attributes, recursive });
		});
	});
}
