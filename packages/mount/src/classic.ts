import { Buffer } from "node:buffer";
import { Location, type LocationLike } from "@nearfar/core";
import {
	options as checkOptions,
	followedPath,
	type MountFlag,
	mountFlags,
	native,
	outOfRange,
	text,
	toBits,
	toPath,
	type UmountFlag,
	umountFlags,
} from "@nearfar/core/internal";
import { join, toWord } from "./word.ts";

const DATA = 4095; // a page of the smallest size, and its last byte is the end

/** How {@link mount} mounts. */
export interface MountOptions {
	/** Names of `MS_*` flags in camelCase, or a number. Default: none. */
	flags?: readonly MountFlag[] | number;
	/** What the file system is told, `"size=1m,mode=700"`; at most 4095 bytes. Default: nothing. */
	data?: string;
}

/** How {@link umount} unmounts. */
export interface UmountOptions {
	/** Names of `MNT_*` and `UMOUNT_*` flags, or a number. Default: none. */
	flags?: readonly UmountFlag[] | number;
}

/**
 * Mounts a file system, makes a tree visible at a second place, or changes or moves a mount: the flags say which.
 *
 * What the kernel ignores stays ignored: `bind` with `rdonly` makes a writable mount, and one more call with `remount`,
 * `bind` and `rdonly` changes it. A symbolic link at the end of a path is followed. Near, it acts on Node's own mount
 * namespace, and so for every thread.
 *
 * @param source - A device, a directory, a name that is only shown; `null` where the flags need none.
 * @param target - Where. An open descriptor and the directory of a `Location` go through `/proc/self/fd`.
 * @param fstype - The file system, as in `/proc/filesystems`; `null` for `bind`, `move`, `remount` and propagation.
 * @throws `EPERM` no CAP_SYS_ADMIN over the mount namespace, a file system that may not be mounted in a user namespace, a
 * locked flag · `ENODEV` unknown `fstype` · `EINVAL` no `fstype`, wrong `data`, not a mount, two kinds of propagation ·
 * `ENOTBLK` `source` is no block device · `EBUSY` files are open for writing · `ENOENT` · `ENOTDIR` · `ENAMETOOLONG` ·
 * `ELOOP` a mount moved below itself · `ENOSPC` too many mounts. `TypeError`, `RangeError` wrong arguments
 * @example
 * ```ts
 * await using task = await Task.clone({ namespaces: ["user", "mnt"], idMap: "root" });
 * task.run(() => {
 *   mount("scratch", "/tmp", "tmpfs", { flags: ["nosuid", "nodev"], data: "size=1m" });
 *   mount("/usr", "/tmp", null, { flags: ["bind", "rec"] });
 * });
 * ```
 * @see mount(2); CAP_SYS_ADMIN over the mount namespace
 */
export function mount(
	source: LocationLike | null | undefined,
	target: LocationLike,
	fstype: string | null | undefined,
	options?: MountOptions,
): void {
	const { flags, data } = checkOptions(options);
	if (data !== undefined && Buffer.byteLength(text(data, "options.data")) > DATA) {
		throw outOfRange("options.data", `at most ${DATA} bytes: the kernel would cut off the rest`, data);
	}
	native().mount(
		source === null || source === undefined ? undefined : followedPath(source, "source"),
		followedPath(target, "target"),
		fstype === null || fstype === undefined ? undefined : text(fstype, "fstype"),
		toBits(mountFlags, flags, "options.flags"),
		data,
	);
}

/**
 * Unmounts what is topmost at a place.
 *
 * A descriptor of a file in the mount keeps it busy: with one as `target`, `detach` is needed.
 *
 * @param target - A mount point; a `Location` that does not follow links adds `nofollow`.
 * @throws `EBUSY` files are open, or something is mounted below · `EINVAL` not a mount point, locked, an unknown flag,
 * `expire` with another · `EAGAIN` marked by `expire` · `EPERM` no CAP_SYS_ADMIN over the mount namespace · `ENOENT` ·
 * `ENAMETOOLONG`. `TypeError`, `RangeError` wrong arguments
 * @example
 * ```ts
 * await using task = await Task.clone({ namespaces: ["user", "mnt"], idMap: "root" });
 * task.run(() => {
 *   mount("scratch", "/tmp", "tmpfs");
 *   umount("/tmp", { flags: ["detach"] });
 * });
 * ```
 * @see umount2(2); CAP_SYS_ADMIN over the mount namespace
 */
export function umount(target: LocationLike, options?: UmountOptions): void {
	const { flags } = checkOptions(options);
	const nofollow = target instanceof Location && !target.symlinks && target.path.length > 0 ? umountFlags.nofollow : 0;
	native().umount(toPath(target, "target"), join(toWord(umountFlags, flags, "options.flags"), nofollow));
}
