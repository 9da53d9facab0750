import type { LocationLike } from "@nearfar/core";
import { options as checkOptions } from "@nearfar/core/internal";
import { type CreateOptions, createMount, createOptionNames, type Mount } from "./mounted.ts";
import { placed } from "./placed.ts";

/**
 * Mounts a sysfs, which shows the devices of the machine and the network devices of the net namespace of the task.
 *
 * The mount has `nosuid`, `nodev` and `noexec`, unless `set` says otherwise. `/sys/class/net` shows the namespace that the task
 * is in now, and goes on to show it after the task has entered another one.
 *
 * In a user namespace the net namespace has to belong to it: clone the task with `"net"` beside `"user"`. The task also has to
 * see a sysfs that nothing is mounted over.
 *
 * @param target - The place, looked up as by {@link moveMount}: a directory. A path is not followed at its end. A `Location`
 * follows by default. An open descriptor is the place itself. With `null` the mount stays detached.
 * @param options - Attributes of the mount, and parameters of the file system in `data`. Default: `nosuid`, `nodev` and
 * `noexec`.
 * @returns Nothing with a target. With `null` a detached mount, which dissolves when it is closed: the caller closes it, or
 * declares it with `using`.
 * @throws `EPERM` The task has no CAP_SYS_ADMIN over its mount namespace, or a seccomp filter does not know the calls.
 * @throws `EPERM` In a user namespace the net namespace does not belong to it, or the task sees no sysfs that nothing is
 * mounted over. `error.hint` says so.
 * @throws `EPERM` In a user namespace: `atime` differs from the access times of the sysfs in sight, or that one is read-only and
 * locked, and `set` has no `rdonly`.
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
 * await using task = await Task.clone({ namespaces: ["user", "mnt", "net"], idMap: "root" });
 * task.run(() => {
 *   sysfs("/mnt");
 * });
 * ```
 * @see sysfs(5), fsopen(2), fsmount(2), Linux 5.2; CAP_SYS_ADMIN over the mount namespace and the net namespace
 */
export function sysfs(target: LocationLike, options?: CreateOptions): void;
export function sysfs(target: null, options?: CreateOptions): Mount;
export function sysfs(target: LocationLike | null, options?: CreateOptions): Mount | undefined {
	return view("sysfs", target, options);
}

/**
 * Mounts the cgroup v2 hierarchy, as the cgroup namespace of the task shows it.
 *
 * The mount has `nosuid`, `nodev` and `noexec`, unless `set` says otherwise. The root of the mount is the root of the cgroup
 * namespace: the cgroup that the task was in when it made the namespace.
 *
 * In a user namespace the cgroup namespace has to belong to it: clone the task with `"cgroup"` beside `"user"`.
 *
 * @param target - The place, looked up as by {@link moveMount}: a directory. A path is not followed at its end. A `Location`
 * follows by default. An open descriptor is the place itself. With `null` the mount stays detached.
 * @param options - Attributes of the mount, and parameters of the file system in `data`. Default: `nosuid`, `nodev` and
 * `noexec`.
 * @returns Nothing with a target. With `null` a detached mount, which dissolves when it is closed: the caller closes it, or
 * declares it with `using`.
 * @throws `EPERM` The task has no CAP_SYS_ADMIN over its mount namespace, or a seccomp filter does not know the calls.
 * @throws `EPERM` In a user namespace the cgroup namespace does not belong to it. `error.hint` says so.
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
 * await using task = await Task.clone({ namespaces: ["user", "mnt", "cgroup"], idMap: "root" });
 * task.run(() => {
 *   cgroup2("/mnt");
 * });
 * ```
 * @see cgroups(7), fsopen(2), fsmount(2), Linux 5.2; CAP_SYS_ADMIN over the mount namespace and the cgroup namespace
 */
export function cgroup2(target: LocationLike, options?: CreateOptions): void;
export function cgroup2(target: null, options?: CreateOptions): Mount;
export function cgroup2(target: LocationLike | null, options?: CreateOptions): Mount | undefined {
	return view("cgroup2", target, options);
}

/**
 * Mounts the POSIX message queues of the ipc namespace of the task.
 *
 * The mount has `nosuid`, `nodev` and `noexec`, unless `set` says otherwise. Each queue is a file. To read one shows its size
 * and who is notified.
 *
 * In a user namespace the ipc namespace has to belong to it: clone the task with `"ipc"` beside `"user"`.
 *
 * @param target - The place, looked up as by {@link moveMount}: a directory. A path is not followed at its end. A `Location`
 * follows by default. An open descriptor is the place itself. With `null` the mount stays detached.
 * @param options - Attributes of the mount, and parameters of the file system in `data`. Default: `nosuid`, `nodev` and
 * `noexec`.
 * @returns Nothing with a target. With `null` a detached mount, which dissolves when it is closed: the caller closes it, or
 * declares it with `using`.
 * @throws `EPERM` The task has no CAP_SYS_ADMIN over its mount namespace, or a seccomp filter does not know the calls.
 * @throws `EPERM` In a user namespace the ipc namespace does not belong to it. `error.hint` says so.
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
 * await using task = await Task.clone({ namespaces: ["user", "mnt", "ipc"], idMap: "root" });
 * task.run(() => {
 *   mqueue("/mnt");
 * });
 * ```
 * @see mq_overview(7), fsopen(2), fsmount(2), Linux 5.2; CAP_SYS_ADMIN over the mount namespace and the ipc namespace
 */
export function mqueue(target: LocationLike, options?: CreateOptions): void;
export function mqueue(target: null, options?: CreateOptions): Mount;
export function mqueue(target: LocationLike | null, options?: CreateOptions): Mount | undefined {
	return view("mqueue", target, options);
}

/** Makes a mount of a file system that shows a namespace of the task. */
function view(fstype: string, target: LocationLike | null, options: CreateOptions | undefined): Mount | undefined {
	const create = checkOptions(options, createOptionNames);
	const { set = ["nosuid", "nodev", "noexec"] } = create;
	return placed(target, () => createMount(fstype, [], { ...create, set }));
}
