import type { LocationLike } from "@nearfar/core";
import { followedPath, native } from "@nearfar/core/internal";

/**
 * Makes a mount the root of the mount namespace, and attaches the former root to a place below it.
 *
 * Every process of the namespace whose root or working directory was the old root gets the new one; descriptors stay
 * what they are and still reach the old tree. With both arguments `"."` the old root ends up on top of the new one, and
 * `umount(".", { flags: ["detach"] })` makes it go: no directory for it is needed.
 *
 * @param newRoot - A mount point; bind a directory to itself to make it one.
 * @param putOld - `newRoot` or below.
 * @throws `EINVAL` not a mount point, `putOld` not below `newRoot`, a shared mount, the root is the initial ramfs · `EBUSY`
 * one of them is on the current root's mount · `ENOTDIR` · `EPERM` no CAP_SYS_ADMIN over the mount namespace · `ENOENT`.
 * `TypeError` wrong arguments
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
