import type { LocationLike } from "@nearfar/core";
import { options as checkOptions, id, optionalBoolean, wrongValue } from "@nearfar/core/internal";
import { amountText } from "./amount.ts";
import type { DataPart } from "./data.ts";
import { type CreateOptions, createMount, createOptionNames, type Mount } from "./mounted.ts";
import { octal } from "./octal.ts";
import { placed } from "./placed.ts";

/** Options of {@link tmpfs}. */
export interface TmpfsOptions extends CreateOptions {
	/**
	 * The most bytes that files may take: 1 to 2^53-1, or a text such as `"64m"`, with k, m, g, t, p, e (less than 2^63
	 * bytes) or % of the memory (at most 10000%). Default: half of the memory.
	 */
	size?: number | string;
	/**
	 * The most files and directories: 1 to 2^53-1, or a text with k, m, g, t, p, e. Default: half of the pages of the
	 * memory.
	 */
	inodes?: number | string;
	/** Permission bits of the root, 0 to 0o7777, as in `mkdir` but without the umask. Default: 0o1777. */
	mode?: number;
	/** The owner of the root, in the user namespace of the task. Default: the user of the task. */
	uid?: number;
	/** The group of the root, in the user namespace of the task. Default: the group of the task. */
	gid?: number;
	/** When files get huge pages. Default: `"never"`, or what the kernel was started with. */
	huge?: "never" | "always" | "within_size" | "advise";
	/** Whether files are never swapped out. Since Linux 6.4, not in a user namespace. Default: false. */
	noswap?: boolean;
}

const hugePages = ["never", "always", "within_size", "advise"] as const;
/** The kernel rounds up to pages in 64 bits, which turns the largest sizes into 0. */
const MOST_BYTES = 2n ** 63n - 1n;
const MOST_INODES = 2n ** 53n - 1n;
const MOST_PERCENT = 10_000;

/**
 * Mounts a new file system in memory.
 *
 * The mount has `nosuid` and `nodev`, unless `set` says otherwise. The file system is empty, and its files go away with its last
 * mount.
 *
 * Without `size` the kernel allows half of the memory, and without `inodes` one file for each page of that. 0 would mean
 * "unlimited" for the kernel, and is refused. In `data` the parameters have the names of the kernel (`nr_inodes`), follow the
 * options, and are not checked.
 *
 * @param target - The place, looked up as by {@link moveMount}: a directory. A path is not followed at its end. A `Location`
 * follows by default. An open descriptor is the place itself. With `null` the mount stays detached.
 * @param options - Parameters of the file system, and attributes of the mount. Default: those of the kernel, with `nosuid` and
 * `nodev`.
 * @returns Nothing with a target. With `null` a detached mount, which dissolves when it is closed: the caller closes it, or
 * declares it with `using`.
 * @throws `EPERM` The task has no CAP_SYS_ADMIN over its mount namespace, or a seccomp filter does not know the calls.
 * @throws `EINVAL` The user namespace does not map `uid` or `gid`; `error.log` says which.
 * @throws `EINVAL` `noswap` is asked for in a user namespace, which is not allowed, or the kernel has no huge pages.
 * @throws `EINVAL` The file system refuses a parameter of `data`; `error.log` says which. An attribute such as `nosuid` is such
 * a parameter.
 * @throws `EINVAL` The target is a link or a file.
 * @throws `EINVAL` `userns` is no user namespace or has no maps, or the file system has no id-mapped mounts.
 * @throws `EPERM` `userns` is the initial user namespace.
 * @throws `EBUSY` `exclusive` is asked for, and the file system exists.
 * @throws `EOPNOTSUPP` `exclusive` needs Linux 6.6.
 * @throws `ENOENT` The target does not exist.
 * @throws `ENOTDIR` A part of the path of the target is not a directory.
 * @throws `EACCES` A directory on the way to the target may not be searched.
 * @throws `ELOOP` The path of the target has more than 40 symbolic links.
 * @throws `ENAMETOOLONG` A component of the path of the target is longer than 255 bytes, or the path longer than 4095.
 * @throws `ENODEV` The kernel does not know the file system.
 * @throws `EBADF` Other code has closed a descriptor.
 * @throws `ENOMEM` The kernel has no memory for the file system.
 * @throws `ENOSPC` The mount namespace has reached its limit of mounts (`/proc/sys/fs/mount-max`).
 * @throws `EMFILE` The task has reached its limit of descriptors. The function needs two for a moment.
 * @throws `ENOSYS` The kernel is older than Linux 5.2, or a seccomp filter does not know the calls.
 * @throws `ERR_NEARFAR_CLOSED` A descriptor is closed.
 * @throws `ERR_NEARFAR_FD_TABLE_MISMATCH` A descriptor belongs to another table than the current task's.
 * @throws `ERR_NEARFAR_BATCH` A descriptor is made by another batch, which has not run yet.
 * @throws `ERR_NEARFAR_TASK_GONE` The current task has executed a program, exited or died.
 * @throws `TypeError` An argument has the wrong type, holds a NUL byte, or a name is no option or attribute. `size` or `inodes`
 * is a text of another form.
 * @throws `RangeError` A number is out of its range, `size` or `inodes` is 0 or too large, or a key or a text is longer than
 * 255 bytes.
 * @example
 * ```ts
 * await using task = await Task.clone({ namespaces: ["user", "mnt"], idMap: "root" });
 * task.run(() => {
 *   tmpfs("/tmp", { size: "64m", mode: 0o1777 });
 *   using scratch = tmpfs(null, { size: 65536 }).attach("/mnt"); // ends with its scope
 * });
 * ```
 * @see tmpfs(5), fsopen(2), fsmount(2), Linux 5.2; CAP_SYS_ADMIN over the mount namespace
 */
export function tmpfs(target: LocationLike, options?: TmpfsOptions): void;
export function tmpfs(target: null, options?: TmpfsOptions): Mount;
export function tmpfs(target: LocationLike | null, options?: TmpfsOptions): Mount | undefined {
	const { size, inodes, mode, uid, gid, huge, noswap, ...create } = checkOptions(options, [
		"size",
		"inodes",
		"mode",
		"uid",
		"gid",
		"huge",
		"noswap",
		...createOptionNames,
	]);
	const parameters: DataPart[] = [];
	const add = (key: string, value: string | undefined) => parameters.push({ key, value });
	if (size !== undefined) add("size", amountText(size, "options.size", MOST_BYTES, MOST_PERCENT));
	if (inodes !== undefined) add("nr_inodes", amountText(inodes, "options.inodes", MOST_INODES, 0));
	if (mode !== undefined) add("mode", octal(mode, "options.mode"));
	if (uid !== undefined) add("uid", String(id(uid, "options.uid")));
	if (gid !== undefined) add("gid", String(id(gid, "options.gid")));
	if (huge !== undefined) {
		if (!hugePages.includes(huge)) throw wrongValue("options.huge", `one of ${hugePages.join(", ")}`, huge);
		add("huge", huge);
	}
	if (optionalBoolean(noswap, "options.noswap")) add("noswap", undefined);
	const { set = ["nosuid", "nodev"] } = create;
	return placed(target, () => createMount("tmpfs", parameters, { ...create, set }));
}
