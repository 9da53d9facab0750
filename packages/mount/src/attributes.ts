import { FileDescriptor, type LocationLike } from "@nearfar/core";
import {
	atFlags,
	options as checkOptions,
	joinBits,
	type MountAttribute,
	mountAttributeMasks,
	mountAttributes,
	native,
	numberOf,
	optionalBoolean,
	type Propagation,
	propagations,
	toAt,
	toBits,
	toChoice,
	wrongType,
	wrongValue,
} from "@nearfar/core/internal";
import { join } from "./word.ts";

/** When a read updates the access time of a file: `"relatime"`, `"noatime"` or `"strictatime"`. */
export type AccessTimes = "relatime" | "noatime" | "strictatime";

/** Attributes of a mount, and how its mount events pass. What an option does not name stays as it is. */
export interface AttributeOptions {
	/**
	 * Attributes to add, by the names of `MOUNT_ATTR_*` in camelCase, or as a number. The kernel applies `clear`
	 * first. Default: none.
	 */
	set?: readonly MountAttribute[] | number;
	/** Attributes to take away, by name or as a number. Default: none. */
	clear?: readonly MountAttribute[] | number;
	/**
	 * How mount events pass from now on, by name or as one of the numbers `MS_SHARED`, `MS_PRIVATE`, `MS_SLAVE`,
	 * `MS_UNBINDABLE`. Default: unchanged.
	 */
	propagation?: Propagation | number;
	/** When a read updates the access time, whatever the mount did before. Default: unchanged. */
	atime?: AccessTimes;
	/**
	 * An open user namespace whose maps decide which user owns the files seen through the mount. The mount has to be
	 * detached, and not id-mapped yet. Default: unchanged.
	 */
	userns?: FileDescriptor;
}

/** What {@link mountSetattr} changes. What an option does not name stays as it is. */
export interface MountSetattrOptions extends AttributeOptions {
	/**
	 * Whether the change also applies to everything that is mounted below: to all of it, or to nothing. Default:
	 * false.
	 */
	recursive?: boolean;
}

const accessTimes = {
	relatime: mountAttributes.relatime,
	noatime: mountAttributes.noatime,
	strictatime: mountAttributes.strictatime,
} as const;

/**
 * Changes attributes, propagation and id map of a mount, or of a whole tree of mounts.
 *
 * @param at - A mount point, attached in this mount namespace or detached. The flags of a `Location` are added.
 * @param options - What to change. With `{}` the kernel does not even look at the place.
 * @throws `EINVAL` The place is not a mount point, or belongs to another mount namespace.
 * @throws `EINVAL` The kernel does not know an attribute.
 * @throws `EINVAL` `userns` is no user namespace, has no maps, or is the one in which the file system was mounted.
 * @throws `EINVAL` `userns` is given, and the mount is attached, or its file system has no id-mapped mounts.
 * @throws `EPERM` The task has no CAP_SYS_ADMIN over the mount namespace.
 * @throws `EPERM` A more privileged namespace has locked the attribute.
 * @throws `EPERM` `userns` is the initial user namespace, or the mount is id-mapped already.
 * @throws `EPERM` `userns` is given, and the task has no CAP_SYS_ADMIN over the user namespace of the file system.
 * @throws `EBUSY` `rdonly` is asked for while files are open for writing.
 * @throws `EBADF` A descriptor is not open.
 * @throws `ENOENT` The path does not exist.
 * @throws `ERR_NEARFAR_TASK_GONE` The current task has executed a program, exited or died.
 * @throws `TypeError` An argument has the wrong type, or a name is no attribute.
 * @throws `RangeError` A number is out of its range.
 * @example
 * ```ts
 * await using task = await Task.clone({ namespaces: ["user", "mnt"], idMap: "root" });
 * task.run(() => {
 *   using tree = openTree("/usr", { flags: ["clone", "recursive"] });
 *   mountSetattr(tree, { set: ["rdonly", "nosuid"], propagation: "private", recursive: true });
 *   moveMount(tree, "/mnt");
 * });
 * ```
 * @see mount_setattr(2), Linux 5.12; CAP_SYS_ADMIN over the mount namespace, with `userns` also over the file system
 */
export function mountSetattr(at: LocationLike, options: MountSetattrOptions): void {
	const { recursive, ...attributes } = checkOptions(options, [
		"set",
		"clear",
		"propagation",
		"atime",
		"recursive",
		"userns",
	]);
	const words = attributeWords(attributes);
	const place = toAt(at, "at");
	const flags = join(place.flags, optionalBoolean(recursive, "options.recursive") ? atFlags.recursive : 0);
	native().mountSetattr(place.at, place.path, flags, ...words);
}

/** Converts attributes for mount_setattr(2) and open_tree_attr(2): what to set, to clear, the propagation, and the id map. */
export function attributeWords({
	set,
	clear,
	propagation,
	atime,
	userns,
}: AttributeOptions): [set: number, clear: number, propagation: number, userns: number | undefined] {
	if (userns !== undefined && !(userns instanceof FileDescriptor)) {
		throw wrongType("options.userns", "a FileDescriptor", userns);
	}
	const added = toBits(mountAttributes, set, "options.set");
	// Without a descriptor the kernel would take 0 for the user namespace.
	if (BigInt(added) & BigInt(mountAttributes.idmap) && !userns) {
		throw wrongValue("options.set", 'without "idmap" unless there is options.userns', set);
	}
	const time = accessTimeBits(atime);
	const timeMask = atime === undefined ? 0 : mountAttributeMasks.atime;
	return [
		add(added, time, userns ? mountAttributes.idmap : 0),
		add(toBits(mountAttributes, clear, "options.clear"), timeMask),
		typeof propagation === "number"
			? toBits(propagations, propagation, "options.propagation")
			: propagation === undefined
				? 0
				: toChoice(propagations, propagation, "options.propagation"),
		userns && numberOf(userns),
	];
}

/** Returns the attribute for the access times of a mount. */
export function accessTimeBits(atime: AccessTimes | undefined): number {
	return atime === undefined ? 0 : toChoice(accessTimes, atime, "options.atime");
}

/** Joins masks of 64 bits. */
function add(...masks: number[]): number {
	return masks.reduce(joinBits, 0);
}
