import type { NamespaceKind } from "@nearfar/core";
import { currentTask, namespaceFlags, native, toBits } from "@nearfar/core/internal";
import { kindsOf } from "./kinds.ts";

/**
 * Makes new namespaces and moves the current task into them.
 *
 * `"pid"` and `"time"` are for its children only: the task itself stays where it is. With `"user"` the user namespace is
 * made first and owns the others, so that no privilege is needed; it has no maps yet, and every id in it shows as 65534.
 *
 * @param kinds - At least one, or a number of `CLONE_*` flags.
 * @throws `EPERM` no CAP_SYS_ADMIN, user namespaces are forbidden, or one in a chroot · `EINVAL` an unknown flag, `"pid"`
 * a second time · `ENOSPC` a limit of namespaces · `EUSERS` · `MultithreadedError` near · `TypeError`, `RangeError`
 * @example
 * ```ts
 * await using task = await Task.clone();
 * task.run(() => unshare(["user", "uts", "net"]));
 * ```
 * @see unshare(2); CAP_SYS_ADMIN but for `"user"` and what is made along with it
 */
export function unshare(kinds: readonly NamespaceKind[] | number): void {
	const flags = toBits(namespaceFlags, kinds, "kinds");
	native().unshare(flags);
	currentTask().entersNamespaces(kindsOf(flags));
}
