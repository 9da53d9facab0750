import { FileDescriptor, type LocationLike } from "@nearfar/core";
import {
	atFlags,
	options as checkOptions,
	type MountAttribute,
	mountAttributeMasks,
	mountAttributes,
	native,
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

/** When a read updates the access time: `"relatime"`, `"noatime"` or `"strictatime"`. */
export type AccessTimes = "relatime" | "noatime" | "strictatime";

/** What {@link mountSetattr} changes. What is not named stays as it is. */
export interface MountSetattrOptions {
	/** Attributes to add: names of `MOUNT_ATTR_*` in camelCase, or a number. Applied after `clear`. */
	set?: readonly MountAttribute[] | number;
	/** Attributes to take away. */
	clear?: readonly MountAttribute[] | number;
	/** How mount events pass from now on; a number of `MS_*` is let through. */
	propagation?: Propagation | number;
	/** When a read updates the access time: one choice, whatever it was before. */
	atime?: AccessTimes;
	/** Everything mounted below as well: all of it is changed, or nothing. Default: false. */
	recursive?: boolean;
	/** An open user namespace whose maps say who owns the files seen through the mount; it has to be detached and new. */
	userns?: FileDescriptor;
}

const accessTimes = {
	relatime: mountAttributes.relatime,
	noatime: mountAttributes.noatime,
	strictatime: mountAttributes.strictatime,
} as const;

/**
 * Changes attributes, propagation and owners of a mount, or of a whole tree of them.
 *
 * @param at - A mount point, attached here or detached; a `Location`'s flags are added.
 * @param options - What to change; with `{}` the kernel looks at nothing, not even the place.
 * @throws `EINVAL` not a mount point, a mount of another namespace, an unknown attribute, `userns` on an attached or
 * id-mapped mount, without maps, or no user namespace · `EPERM` no CAP_SYS_ADMIN over the mount namespace, a locked
 * attribute, `userns` is the initial one · `EBUSY` `rdonly` while files are open for writing · `EBADF` · `ENOENT`.
 * `TypeError`, `RangeError` wrong arguments
 * @example
 * ```ts
 * await using task = await Task.clone({ namespaces: ["user", "mnt"], idMap: "root" });
 * task.run(() => {
 *   using tree = openTree("/usr", { flags: ["clone", "recursive"] });
 *   mountSetattr(tree, { set: ["rdonly", "nosuid"], propagation: "private", recursive: true });
 *   moveMount(tree, "/mnt");
 * });
 * ```
 * @see mount_setattr(2), Linux 5.12; CAP_SYS_ADMIN over the mount namespace, with `userns` over the file system's
 */
export function mountSetattr(at: LocationLike, options: MountSetattrOptions): void {
	const { set, clear, propagation, atime, recursive, userns } = checkOptions(options);
	if (userns !== undefined && !(userns instanceof FileDescriptor)) {
		throw wrongType("options.userns", "a FileDescriptor", userns);
	}
	if (Array.isArray(set) && set.includes("idmap") && !userns) {
		throw wrongValue("options.set", 'without "idmap" unless there is options.userns', set);
	}
	const time = atime === undefined ? 0 : toChoice(accessTimes, atime, "options.atime");
	const timeMask = atime === undefined ? 0 : mountAttributeMasks.atime;
	const place = toAt(at, "at");
	native().mountSetattr(
		place.at,
		place.path,
		join(place.flags, optionalBoolean(recursive, "options.recursive") ? atFlags.recursive : 0),
		add(toBits(mountAttributes, set, "options.set"), time, userns ? mountAttributes.idmap : 0),
		add(toBits(mountAttributes, clear, "options.clear"), timeMask),
		typeof propagation === "number"
			? toBits(propagations, propagation, "options.propagation")
			: propagation === undefined
				? 0
				: toChoice(propagations, propagation, "options.propagation"),
		userns?.number(),
	);
}

/** Attributes are 64 bits wide: JavaScript's own operator would cut them. */
function add(...masks: number[]): number {
	return Number(masks.reduce((all, mask) => all | BigInt(mask), 0n));
}
