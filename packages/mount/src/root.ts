import type { LocationLike } from "@nearfar/core";
import { followedPath, native } from "@nearfar/core/internal";

/**
 * Makes a mount the root of the mount namespace, and attaches the former root at a place below the new one.
 *
 * Every process of the namespace whose root or working directory was the former root gets the new one. Open
 * descriptors still reach the former tree. With `"."` for both arguments the former root ends up on top of the new
 * one, and `umount(".", { flags: ["detach"] })` removes it: no directory has to be made for it.
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
