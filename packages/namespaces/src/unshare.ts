import type { NamespaceKind } from "@nearfar/core";
import {
	currentTask,
	explained,
	hintForNamespaces,
	makesNamespaces,
	namespaceFlags,
	native,
	toBits,
} from "@nearfar/core/internal";
import { kindsOf } from "./kinds.ts";

/**
 * Makes new namespaces and moves the current task into them.
 *
 * `"pid"` and `"time"` apply only to children that the task makes afterwards: the task itself stays where it is. With
 * `"user"` the kernel makes the user namespace first, and it owns the others, so that no privilege is needed. The new
 * user namespace has no id maps yet: every id shows as 65534.
 *
 * @param kinds - At least one kind, or a number of `CLONE_NEW*` flags.
 * @throws `EPERM` The task has no CAP_SYS_ADMIN, or user namespaces are forbidden on this host.
 * @throws `EPERM` `"user"` is asked for in a chroot.
 * @throws `EINVAL` The kernel does not know a flag, or `"pid"` is asked for a second time.
 * @throws `ENOSPC` A limit of namespaces in `/proc/sys/user` is reached.
 * @throws `EUSERS` User namespaces would be nested more than 32 deep, on kernels before 4.9.
 * @throws `ERR_NEARFAR_MULTITHREADED` The call is made in Node: the kernel would change one thread of many. A thread of
 * `Task.thread` may make `"cgroup"`, `"ipc"`, `"mnt"`, `"net"` and `"uts"`.
 * @throws `ERR_NEARFAR_TASK_GONE` The current task has executed a program, exited or died.
 * @throws `TypeError` `kinds` is neither an array of kinds nor a number.
 * @throws `RangeError` `kinds` is a number that is out of its range.
 * @example
 * ```ts
 * await using task = await Task.clone();
 * task.run(() => unshare(["user", "uts", "net"]));
 * ```
 * @see unshare(2); CAP_SYS_ADMIN, except for `"user"` and what is made along with it
 */
export function unshare(kinds: readonly NamespaceKind[] | number): void {
	const flags = toBits(namespaceFlags, kinds, "kinds");
	const task = currentTask();
	const asked = kindsOf(flags);
	explained(
		() => native().unshare(flags),
		(refusal) => hintForNamespaces(task, refusal, { kinds: asked }),
	);
	makesNamespaces(task, asked);
}
