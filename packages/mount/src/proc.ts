import { FileDescriptor, type LocationLike } from "@nearfar/core";
import { options as checkOptions, id, numberOf, wrongType, wrongValue } from "@nearfar/core/internal";
import type { DataPart } from "./data.ts";
import { type CreateOptions, createMount, createOptionNames, type Mount } from "./mounted.ts";
import { placed } from "./placed.ts";

/** Options of {@link proc}. */
export interface ProcOptions extends CreateOptions {
	/**
	 * Which processes are shown: `"off"` all; `"noaccess"` all, and of other users only their numbers; `"invisible"`
	 * none of other users; `"ptraceable"` those that the reader may trace. Since Linux 5.8 by name. Default: `"off"`.
	 */
	hidepid?: "off" | "noaccess" | "invisible" | "ptraceable";
	/** `"pid"` shows processes, and nothing else. Since Linux 5.8. Default: everything. */
	subset?: "pid";
	/** The group for which `hidepid` hides nothing, in the user namespace of the task. Default: 0. */
	gid?: number;
	/** The pid namespace that is shown: an open one, which stays the caller's. Since Linux 6.17. Default: that of the task. */
	pidns?: FileDescriptor;
}

const hiding = ["off", "noaccess", "invisible", "ptraceable"] as const;

/**
 * Mounts a procfs, which shows the processes of the pid namespace of the task.
 *
 * The mount has `nosuid`, `nodev` and `noexec`, unless `set` says otherwise.
 *
 * In a user namespace the pid namespace has to belong to it, so that the task is cloned with `"pid"` beside `"user"`. The task
 * also has to see a procfs that nothing is mounted over: the masks of a container (`/proc/kcore`, `/proc/sys`) forbid a new
 * one. So make the proc of a new root before the old root is gone.
 *
 * @param target - The place, looked up as by {@link moveMount}: a directory. A path is not followed at its end. A `Location`
 * follows by default. An open descriptor is the place itself. With `null` the mount stays detached.
 * @param options - What the procfs hides, and attributes of the mount. Default: hides nothing.
 * @returns Nothing with a target. With `null` a detached mount, which dissolves when it is closed: the caller closes it, or
 * declares it with `using`.
 * @throws `EPERM` The task has no CAP_SYS_ADMIN over its mount namespace, or a seccomp filter does not know the calls.
 * @throws `EPERM` In a user namespace the pid namespace does not belong to it, or the task sees no procfs that nothing is
 * mounted over. `error.hint` names both.
 * @throws `EPERM` In a user namespace: `atime` differs from the access times of the procfs in sight, or that one is read-only and
 * locked, and `set` has no `rdonly`.
 * @throws `EINVAL` The user namespace does not map `gid`, or `pidns` is no pid namespace or the kernel is older than 6.17;
 * `error.log` says which.
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
 * await using task = await Task.clone({ namespaces: ["user", "mnt", "pid"], idMap: "root" });
 * task.run(() => {
 *   proc("/proc", { subset: "pid" });
 * });
 * ```
 * @see proc(5), fsopen(2), fsmount(2), Linux 5.2; CAP_SYS_ADMIN over the mount namespace and the pid namespace
 */
export function proc(target: LocationLike, options?: ProcOptions): void;
export function proc(target: null, options?: ProcOptions): Mount;
export function proc(target: LocationLike | null, options?: ProcOptions): Mount | undefined {
	const { hidepid, subset, gid, pidns, ...create } = checkOptions(options, [
		"hidepid",
		"subset",
		"gid",
		"pidns",
		...createOptionNames,
	]);
	const parameters: DataPart[] = [];
	if (hidepid !== undefined) {
		if (!hiding.includes(hidepid)) throw wrongValue("options.hidepid", `one of ${hiding.join(", ")}`, hidepid);
		parameters.push({ key: "hidepid", value: hidepid });
	}
	if (subset !== undefined) {
		if (subset !== "pid") throw wrongValue("options.subset", '"pid"', subset);
		parameters.push({ key: "subset", value: subset });
	}
	if (gid !== undefined) parameters.push({ key: "gid", value: String(id(gid, "options.gid")) });
	if (pidns !== undefined) {
		if (!(pidns instanceof FileDescriptor)) throw wrongType("options.pidns", "a FileDescriptor", pidns);
		numberOf(pidns, "options.pidns");
		parameters.push({ key: "pidns", value: pidns });
	}
	const { set = ["nosuid", "nodev", "noexec"] } = create;
	return placed(target, () => createMount("proc", parameters, { ...create, set }));
}
