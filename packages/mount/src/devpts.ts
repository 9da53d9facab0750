import type { LocationLike } from "@nearfar/core";
import { options as checkOptions, id, integer } from "@nearfar/core/internal";
import type { DataPart } from "./data.ts";
import { type CreateOptions, createMount, createOptionNames, type Mount } from "./mounted.ts";
import { octal } from "./octal.ts";
import { placed } from "./placed.ts";

/** Options of {@link devpts}. */
export interface DevptsOptions extends CreateOptions {
	/** Permission bits of terminals, 0 to 0o7777. Default: 0o620. */
	mode?: number;
	/** Permission bits of `ptmx`, 0 to 0o7777. Default: 0o666. */
	ptmxmode?: number;
	/** The owner of all terminals, in the user namespace of the task. Default: the user that opens `ptmx`. */
	uid?: number;
	/** The group of all terminals, in the user namespace of the task. Default: the group of the process that opens `ptmx`. */
	gid?: number;
	/** The most terminals, 0 to 1048576. Default: 1048576. */
	max?: number;
}

const MOST_PTYS = 2 ** 20; // NR_UNIX98_PTY_MAX

/**
 * Mounts a new devpts: pseudoterminals of its own, and the file `ptmx` that makes them.
 *
 * The mount has `nosuid` and `noexec`, unless `set` says otherwise. `/dev/ptmx` has to be a link to `pts/ptmx`: a device node
 * opens the devpts that is mounted beside it on `pts`, or fails.
 *
 * The kernel itself gives a new terminal the mode 0o600, and `ptmx` the mode 0, so that nobody can open it. The defaults here
 * are those of every distribution. There is no `gid` by default, because a user namespace seldom maps the group `tty`. A `gid`
 * that the user namespace does not map is refused, and never dropped. With `uid` every terminal belongs to that user: programs
 * of other users then cannot use the terminals that they open.
 *
 * @param target - The place, looked up as by {@link moveMount}: a directory. A path is not followed at its end. A `Location`
 * follows by default. An open descriptor is the place itself. With `null` the mount stays detached.
 * @param options - Owners, modes and the number of terminals, and attributes of the mount. Default: terminals of the mode
 * 0o620, owned by their openers.
 * @returns Nothing with a target. With `null` a detached mount, which dissolves when it is closed: the caller closes it, or
 * declares it with `using`.
 * @throws `EPERM` The task has no CAP_SYS_ADMIN over its mount namespace, or a seccomp filter does not know the calls.
 * @throws `EINVAL` The user namespace does not map `uid` or `gid`; `error.log` says which.
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
 * @throws `TypeError` An argument has the wrong type, holds a NUL byte, or a name is no option or attribute.
 * @throws `RangeError` A number is out of its range, or a key or a text is longer than 255 bytes.
 * @example
 * ```ts
 * await using task = await Task.clone({ namespaces: ["user", "mnt"], idMap: "root" });
 * task.run(() => {
 *   devpts("/dev/pts", { max: 16 });
 *   openat2("/dev/pts/ptmx", { flags: ["rdwr", "noctty"] }).close();
 * });
 * ```
 * @see pts(4), fsopen(2), fsmount(2), Linux 5.2; CAP_SYS_ADMIN over the mount namespace
 */
export function devpts(target: LocationLike, options?: DevptsOptions): void;
export function devpts(target: null, options?: DevptsOptions): Mount;
export function devpts(target: LocationLike | null, options?: DevptsOptions): Mount | undefined {
	const {
		mode = 0o620,
		ptmxmode = 0o666,
		uid,
		gid,
		max,
		...create
	} = checkOptions(options, ["mode", "ptmxmode", "uid", "gid", "max", ...createOptionNames]);
	const parameters: DataPart[] = [
		{ key: "mode", value: octal(mode, "options.mode") },
		{ key: "ptmxmode", value: octal(ptmxmode, "options.ptmxmode") },
	];
	if (uid !== undefined) parameters.push({ key: "uid", value: String(id(uid, "options.uid")) });
	if (gid !== undefined) parameters.push({ key: "gid", value: String(id(gid, "options.gid")) });
	if (max !== undefined) parameters.push({ key: "max", value: String(integer(max, "options.max", 0, MOST_PTYS)) });
	const { set = ["nosuid", "noexec"] } = create;
	return placed(target, () => createMount("devpts", parameters, { ...create, set }));
}
