import type { FileDescriptor, LocationLike } from "@nearfar/core";
import { options as checkOptions, integer, listmountFlags, native, optionalBoolean } from "@nearfar/core/internal";
import { id, toMountId, toNamespaceId } from "./mount-id.ts";

/** Options of {@link listmount}. */
export interface ListmountOptions {
	/**
	 * The mount whose mounts below are listed: its unique id, or a place in the mount. A directory on which nothing is
	 * mounted means the mount that it is in. Default: all mounts that can be reached from the root of the task.
	 */
	of?: bigint | LocationLike;
	/** The mount namespace to look at: its id, or an open one. Default: that of the current task. */
	namespace?: bigint | FileDescriptor;
	/** Whether the largest id is first (Linux 6.11). Default: false. */
	reverse?: boolean;
	/** Only mounts that come after this unique id, in the order of the list. Default: from the start. */
	after?: bigint;
	/** The most ids to return, from 0. Default: all. */
	limit?: number;
}

const ROOT = 0xffff_ffff_ffff_ffffn; // LSMT_ROOT
const MOST_AFTER = 0xffff_ffff_ffff_fffen; // the kernel goes on from this id plus 1, which has 64 bits
const PAGE = 1024; // ids of one call
const WIDTH = 8; // bytes of an id

/**
 * Returns the unique ids of mounts: of all that can be reached from the root of the task, or of all below one mount.
 *
 * Without `of` the mount of the root itself is in the list; with `of` that mount is not. A long list takes several calls, and
 * is no snapshot: what is mounted and unmounted between two of them may be in it or not. No id is twice in it.
 *
 * @param options - What to list, and in which order. Default: everything, with the smallest id first.
 * @returns The ids, which {@link statmount} takes. A mount that was made later has a larger id.
 * @throws `ENOENT` The mount namespace has no mount with the id of `of`, or the mount of the place is detached.
 * @throws `ENOENT` The place does not exist. `syscall` is `"statx"` then.
 * @throws `ENOENT` There is no mount namespace with the id, or, on older kernels, the task has no CAP_SYS_ADMIN there.
 * @throws `EPERM` `of` cannot be reached from the root of the task, which has no CAP_SYS_ADMIN over its mount namespace.
 * @throws `EPERM` The task has no CAP_SYS_ADMIN in the owner of `options.namespace`.
 * @throws `EINVAL` `of` or `after` is an id that is used again, as mountinfo has them.
 * @throws `EINVAL` The kernel is older than Linux 6.11, and does not know `reverse` or `namespace`.
 * @throws `EINVAL` `options.namespace` is a namespace of another kind.
 * @throws `ENOTTY` `options.namespace` is no namespace.
 * @throws `ENOSYS` The kernel, or a seccomp filter, has no listmount(2).
 * @throws `ERR_NEARFAR_CLOSED` A descriptor is closed.
 * @throws `ERR_NEARFAR_FD_TABLE_MISMATCH` A descriptor belongs to another table than the current task's.
 * @throws `ERR_NEARFAR_BATCH` A batch is being collected, and the call returns a value.
 * @throws `ERR_NEARFAR_TASK_GONE` The current task has executed a program, exited or died.
 * @throws `TypeError` An argument has the wrong type, or a path holds a NUL byte.
 * @throws `RangeError` A number is out of its range.
 * @example
 * ```ts
 * await using task = await Task.clone({ namespaces: ["user", "mnt"], idMap: "root" });
 * task.run(() => {
 *   mount("scratch", "/tmp", "tmpfs");
 *   const [latest] = listmount({ reverse: true, limit: 1 }).map((id) => statmount(id));
 *   console.log(latest?.mountPoint, latest?.source); // /tmp scratch
 * });
 * ```
 * @see listmount(2), Linux 6.8; no privilege in the task's own mount namespace
 */
export function listmount(options?: ListmountOptions): bigint[] {
	const { of, namespace, reverse, after, limit } = checkOptions(options, [
		"of",
		"namespace",
		"reverse",
		"after",
		"limit",
	]);
	const flags = optionalBoolean(reverse, "options.reverse") ? listmountFlags.reverse : 0;
	const most =
		limit === undefined ? Number.POSITIVE_INFINITY : integer(limit, "options.limit", 0, Number.MAX_SAFE_INTEGER);
	let last = after === undefined ? 0n : id(after, "options.after");
	if (last > MOST_AFTER) last = MOST_AFTER;
	const within = toNamespaceId(namespace);
	const mount = of === undefined ? ROOT : toMountId(of, "options.of");
	const ids: bigint[] = [];
	for (;;) {
		const room = Math.min(PAGE, most - ids.length);
		const page = native().listmount(mount, last, within, room, flags);
		for (let at = 0; at < page.length; at += WIDTH) ids.push(page.readBigUInt64LE(at));
		if (page.length < room * WIDTH || ids.length >= most) return ids;
		last = ids.at(-1) as bigint;
	}
}
