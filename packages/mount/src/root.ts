import { type FileDescriptor, type LocationLike, NearfarError } from "@nearfar/core";
import { currentTask, followedPath, native, numberOf, ownNamespaces } from "@nearfar/core/internal";

/**
 * Makes a mount the root of the mount namespace, and attaches the former root at a place below the new one.
 *
 * Every process of the namespace whose root or working directory was the former root gets the new one. Open
 * descriptors still reach the former tree. With `"."` for both arguments the former root ends up on top of the new
 * one, and `umount(".", { flags: ["detach"] })` removes it: no directory has to be made for it. Where something was mounted on the
 * former root, this call removes only what lies topmost, and the path `/..` still leads to the former root.
 *
 * @param newRoot - A mount point. Bind a directory to itself to make it one.
 * @param putOld - The place for the former root: `newRoot` or a directory below.
 * @throws `EINVAL` `newRoot` is not a mount point, or `putOld` is not below it.
 * @throws `EINVAL` A mount involved is shared, or the current root is the initial ramfs.
 * @throws `EBUSY` An argument is on the mount of the current root.
 * @throws `ENOTDIR` An argument is not a directory.
 * @throws `ENOENT` A path does not exist.
 * @throws `EPERM` The task has no CAP_SYS_ADMIN over the mount namespace.
 * @throws `ERR_NEARFAR_TASK_GONE` The current task has executed a program, exited or died.
 * @throws `TypeError` An argument has the wrong type or holds a NUL byte.
 * @example
 * ```ts
 * await using task = await Task.clone({ namespaces: ["user", "mnt"], idMap: "root" });
 * task.run(() => {
 *   mount("/usr", "/usr", null, { flags: ["bind", "rec"] });
 *   pivotRoot("/usr", "/usr/share");
 *   openat2("/bin/env").close();
 * });
 * ```
 * @see pivot_root(2); CAP_SYS_ADMIN over the mount namespace
 */
export function pivotRoot(newRoot: LocationLike, putOld: LocationLike): void {
	native().pivotRoot(followedPath(newRoot, "newRoot"), followedPath(putOld, "putOld"));
}

/**
 * Makes a mount the root of the task's mount namespace, and drops the former root with everything in it.
 *
 * In one message to the task: the mount is moved onto `/`, becomes the working directory by fchdir(2), and then the root by
 * `pivotRoot(".", ".")`; the former root is unmounted lazily, with up to seven mounts that lie on it. So no directory of the
 * host and no `/proc` is needed. Afterwards the working directory is the new root, and descriptors that were opened before still
 * reach the former tree. Mounts of other namespaces that are peers of mounts below the former root stay where they are.
 *
 * Everything that the new root is to have has to be made before:
 * - A proc. Once a task sees no proc that nothing is mounted over, the kernel gives its user namespace no new one.
 * - A mount on `/` hides what is mounted below the root: each bind has to lie in the tree of the new root.
 *
 * Only a task with a mount namespace of its own can enter a root, because everybody in the namespace gets the new one. If the
 * kernel refuses pivot_root(2), the mount is taken away from `/` again, lazily, and the working directory is as before. A mount that
 * was attached elsewhere is attached nowhere then. On a shared root this happens among all peers of the root. After a refusal of a later
 * step, as by a seccomp filter, nothing is undone: end the task.
 *
 * @param root - The root of a mount, attached in the task's mount namespace or detached: mostly a {@link Mount}. The descriptor
 * stays open.
 * @throws `EINVAL` The descriptor is not the root of a mount, or the mount belongs to another mount namespace.
 * @throws `EINVAL` The present root or the mount is shared. Begin with `mount(null, "/", null, { flags: ["rec", "private"] })`.
 * @throws `EINVAL` The present root is not a mount, as after chroot(2), or is the initial ramfs.
 * @throws `EBUSY` More than seven mounts lie on the present root. The rest of them and the former root stay, and the path `/..` leads
 * to them: end the task.
 * @throws `ENOTDIR` The root of the mount is no directory.
 * @throws `EPERM` The task has no CAP_SYS_ADMIN over the mount namespace.
 * @throws `EACCES` The task may not search the root of the mount, its working directory or `/`.
 * @throws `EMFILE` The task has no two free descriptors left.
 * @throws `ELOOP` The mount contains the present root.
 * @throws `ERR_NEARFAR_NEAR` The current task is this process, or is in its mount namespace as far as nearfar knows: a namespace that
 * `task.syscall` has made does not count.
 * @throws `ERR_NEARFAR_CLOSED` The descriptor is closed.
 * @throws `ERR_NEARFAR_FD_TABLE_MISMATCH` The descriptor belongs to another table than the current task's.
 * @throws `ERR_NEARFAR_BATCH` The descriptor is made by another batch, which has not run yet.
 * @throws `ERR_NEARFAR_TASK_GONE` The current task has executed a program, exited or died.
 * @throws `TypeError` The argument is not a descriptor.
 * @example
 * ```ts
 * await using task = await Task.clone({ namespaces: ["user", "mnt"], idMap: "root" });
 * task.run(() => {
 *   using usr = openTree("/usr", { flags: ["clone", "recursive"] });
 *   enterRoot(usr);
 *   openat2("/bin/env").close();
 * });
 * ```
 * @see move_mount(2), pivot_root(2), umount2(2), Linux 5.2; CAP_SYS_ADMIN over the mount namespace
 */
export function enterRoot(root: FileDescriptor): void {
	const number = numberOf(root, "root");
	if (!ownNamespaces().has("mnt")) {
		throw new NearfarError(
			"NEAR",
			`cannot enter a root in ${currentTask()}: that would change the root of this process too, and of all others in its mount namespace; clone the task with "mnt", or unshare "mnt" before`,
		);
	}
	native().enterRoot(number);
}
