import { Location, type LocationLike } from "@nearfar/core";
import {
	options as checkOptions,
	followedPath,
	type MountFlag,
	mountFlags,
	native,
	text,
	toBits,
	toPath,
	type UmountFlag,
	umountFlags,
	wrongType,
	wrongValue,
} from "@nearfar/core/internal";
import { dataText, type MountData } from "./data.ts";
import { MountFlags } from "./flags.ts";
import { propagationKinds } from "./option-words.ts";
import { join, toWord } from "./word.ts";

/** Options of {@link mount}. */
export interface MountOptions {
	/**
	 * Names of `MS_*` flags in camelCase, a {@link MountFlags}, or a number, which reaches the kernel as it is. A kind of
	 * propagation by name comes alone, or with `rec` and `silent`. Default: none.
	 */
	flags?: readonly MountFlag[] | MountFlags | number;
	/**
	 * Options for the file system, as in `"size=1m,mode=700"` or `{ size: "1m", mode: "700" }`: at most 4095 bytes. A
	 * string reaches the kernel as it is. Elements of a list and values of an object may hold no comma outside double
	 * quotes. An error shows the options without what looks like a password. Default: none.
	 */
	data?: MountData;
}

/** Options of {@link umount}. */
export interface UmountOptions {
	/** Names of `MNT_*` and `UMOUNT_*` flags in camelCase, or a number. Default: none. */
	flags?: readonly UmountFlag[] | number;
}

/**
 * Mounts a file system, makes a tree visible at a second place, or changes or moves a mount: the flags say which.
 *
 * The kernel ignores some flags without an error: `bind` with `rdonly` makes a writable mount, and a second call with
 * `remount`, `bind` and `rdonly` makes the mount read-only. `remount` forgets every flag that the call does not repeat: a
 * mount that was `nosuid`, `nodev` and `noexec` is none of these afterwards. Only the flags for access times stay if the
 * call names none of them. {@link mountSetattr} changes what its options name, and nothing else.
 *
 * A symbolic link at the end of a path is followed. Near, the call acts on the mount namespace of Node, and so for every
 * thread.
 *
 * @param source - A device, a directory, or a name that is only shown; `null` where the flags need none.
 * @param target - The place to mount at. A descriptor, and the directory of a `Location`, are reached through
 * `/proc/self/fd`.
 * @param fstype - The file system, by its name in `/proc/filesystems`; `null` with `bind`, `move`, `remount` and
 * propagation.
 * @param options - Flags and the file system's own options. Default: neither.
 * @throws `EPERM` The task has no CAP_SYS_ADMIN over the mount namespace.
 * @throws `EPERM` The file system may not be mounted in a user namespace, or a more privileged one has locked the
 * flag.
 * @throws `ENODEV` The kernel does not know `fstype`.
 * @throws `EINVAL` `fstype` is missing, or the file system refuses `data`.
 * @throws `EINVAL` The place is not a mount, or a number in `flags` says two kinds of propagation.
 * @throws `ENOTBLK` The file system needs a block device, and `source` is none.
 * @throws `EBUSY` Files are open for writing, or the mount is there already.
 * @throws `ENOENT` A path does not exist.
 * @throws `ENOTDIR` A path is not a directory.
 * @throws `ENAMETOOLONG` A path is longer than 4095 bytes.
 * @throws `ELOOP` A mount would move below itself.
 * @throws `ENOSPC` The mount namespace has reached its limit of mounts (`/proc/sys/fs/mount-max`).
 * @throws `ERR_NEARFAR_TASK_GONE` The current task has executed a program, exited or died.
 * @throws `ERR_NEARFAR_BATCH` A descriptor in `data` is one that a batch has still to make: `data` needs its number.
 * @throws `ERR_NEARFAR_FD_TABLE_MISMATCH` A descriptor belongs to another table than the current task's.
 * @throws `ERR_NEARFAR_CLOSED` A descriptor is closed.
 * @throws `TypeError` An argument has the wrong type, holds a NUL byte, or a name is no flag.
 * @throws `TypeError` The flags name two kinds of propagation, or one beside other flags than `rec` and `silent`.
 * @throws `TypeError` An option in `data` holds a comma outside double quotes, or is a mode or a mask as a number.
 * @throws `RangeError` `data` is longer than 4095 bytes, or a number is out of its range.
 * @example
 * ```ts
 * await using task = await Task.clone({ namespaces: ["user", "mnt"], idMap: "root" });
 * task.run(() => {
 *   mount("scratch", "/tmp", "tmpfs", { flags: ["nosuid", "nodev"], data: { size: "1m", mode: "700" } });
 *   mount("/usr", "/tmp", null, { flags: MountFlags.parse("rbind") });
 *   mount(null, "/tmp", null, { flags: ["rec", "private"] });
 *   const { flags, data } = MountFlags.split("noauto,nosuid,size=2m");
 *   mount("second", "/tmp", "tmpfs", { flags, data });
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
	const { flags, data } = checkOptions(options, ["flags", "data"]);
	native().mount(
		source === null || source === undefined ? undefined : followedPath(source, "source"),
		followedPath(target, "target"),
		fstype === null || fstype === undefined ? undefined : text(fstype, "fstype"),
		toMountBits(flags),
		data === undefined ? undefined : dataText(data, "options.data"),
	);
}

/** Converts the flags of mount(2). A number reaches the kernel, also with flags that are refused by name. */
function toMountBits(flags: MountOptions["flags"]): number {
	if (typeof flags === "number") return toBits(mountFlags, flags, "options.flags");
	if (flags !== undefined && !Array.isArray(flags) && !(flags instanceof MountFlags)) {
		throw wrongType("options.flags", "an array of names, a MountFlags or a number; MountFlags.parse reads text", flags);
	}
	const bits = flags instanceof MountFlags ? flags.bits : toBits(mountFlags, flags, "options.flags");
	const kinds = bits & propagationKinds;
	if (kinds === 0) return bits;
	if ((kinds & (kinds - 1)) !== 0) {
		throw wrongValue("options.flags", "with one kind of propagation at most: the kernel refuses two", flags);
	}
	const others = bits & ~(kinds | mountFlags.rec | mountFlags.silent);
	if (others === 0) return bits;
	throw wrongValue(
		"options.flags",
		"without other flags than rec and silent beside propagation, which needs a call of its own: the kernel would refuse both or drop one",
		flags,
	);
}

/**
 * Unmounts the topmost mount at a place.
 *
 * A descriptor of a file in the mount keeps the mount busy. With such a descriptor as `target`, the flag `detach` is
 * needed.
 *
 * @param target - A mount point. A `Location` that does not follow links adds `nofollow`.
 * @param options - Flags. Default: none.
 * @throws `EBUSY` Files of the mount are open, or something is mounted below.
 * @throws `EINVAL` The place is not a mount point, or a more privileged namespace has locked the mount.
 * @throws `EINVAL` The kernel does not know a flag, or `expire` comes with another flag.
 * @throws `EAGAIN` `expire` has marked the mount: a second call unmounts it.
 * @throws `EPERM` The task has no CAP_SYS_ADMIN over the mount namespace.
 * @throws `ENOENT` The path does not exist.
 * @throws `ENAMETOOLONG` The path is longer than 4095 bytes.
 * @throws `ERR_NEARFAR_TASK_GONE` The current task has executed a program, exited or died.
 * @throws `TypeError` An argument has the wrong type, holds a NUL byte, or a name is no flag.
 * @throws `RangeError` A number is out of its range.
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
	const { flags } = checkOptions(options, ["flags"]);
	const nofollow = target instanceof Location && !target.symlinks && target.path.length > 0 ? umountFlags.nofollow : 0;
	native().umount(toPath(target, "target"), join(toWord(umountFlags, flags, "options.flags"), nofollow));
}
