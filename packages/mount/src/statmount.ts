import { Buffer } from "node:buffer";
import { FileDescriptor, type LocationLike, SyscallError } from "@nearfar/core";
import {
	options as checkOptions,
	native,
	numberOf,
	type StatmountField,
	type StatmountFlag,
	statmountFlags,
	statmountMask,
	toBits,
	toEncoding,
	wrongType,
} from "@nearfar/core/internal";
import { toMountId, toNamespaceId } from "./mount-id.ts";
import { decodeMountStat, type MountStat } from "./mount-stat.ts";
import { toWord } from "./word.ts";

/** Options of {@link statmount}. */
export interface StatmountOptions {
	/** The fields to ask for: `STATMOUNT_*` names in camelCase, or a number. Default: all but `"mntOpts"`. */
	mask?: readonly StatmountField[] | number;
	/**
	 * Flags of statmount(2). `"byFd"` (Linux 7.0) asks about the mount that a descriptor is open on, also if the mount is
	 * detached. Default: none.
	 */
	flags?: readonly StatmountFlag[];
	/** The mount namespace of the mount: its id, or an open one. Default: that of the current task. */
	namespace?: bigint | FileDescriptor;
	/**
	 * `"utf8"` returns `root`, `mountPoint` and `source` as strings, in which bytes that are not UTF-8 become U+FFFD; `"buffer"`
	 * returns their bytes. Default: `"utf8"`.
	 */
	encoding?: "utf8" | "buffer";
}

const FIRST = 4096; // bytes of the first buffer
const LAST = 1024 * 1024; // bytes of the last one, for a mount with that many strings
const firstBuffer = Buffer.alloc(FIRST); // used again by each call: the status is a copy
const firstFields = fieldsOf(firstBuffer);
const OPTIONS = statmountMask.mntOpts | statmountMask.optArray | statmountMask.optSecArray;

/**
 * Returns the status of a mount: ids that are never used again, attributes, propagation, paths, options and id maps.
 *
 * A place is first asked for the id of its mount with statx(2). So a path means what is mounted topmost there, and another
 * process may unmount that before the second call. A mount that cannot be reached from the root of the task is `EPERM`, unless
 * the task has CAP_SYS_ADMIN over its mount namespace.
 *
 * @param mount - The unique id of a mount, or a place in the mount: a path, whose link at the end is followed, an open
 * descriptor, or a `Location`.
 * @param options - What to ask for, and in which mount namespace. Default: everything, in that of the current task.
 * @returns The status. What the kernel did not fill is absent. On Linux 6.13 and 6.14 `options` is also absent for a file system
 * without options.
 * @throws `ENOENT` The mount namespace has no mount with the id, or the mount of the place is detached.
 * @throws `ENOENT` The place does not exist. `syscall` is `"statx"` then.
 * @throws `ENOENT` There is no mount namespace with the id, or, on older kernels, the task has no CAP_SYS_ADMIN there.
 * @throws `EPERM` The mount cannot be reached from the root of the task, which has no CAP_SYS_ADMIN over its mount namespace.
 * @throws `EPERM` The task has no CAP_SYS_ADMIN in the owner of `options.namespace`.
 * @throws `EINVAL` The id is one that is used again, as mountinfo has them.
 * @throws `EINVAL` The kernel does not know a flag, or `namespace` (Linux 6.11).
 * @throws `EINVAL` `options.namespace` is a namespace of another kind, or comes with `byFd`.
 * @throws `ENOTTY` `options.namespace` is no namespace.
 * @throws `EOVERFLOW` The strings need more than 1 MiB.
 * @throws `ENOSYS` The kernel, or a seccomp filter, has no statmount(2).
 * @throws `ERR_NEARFAR_CLOSED` A descriptor is closed.
 * @throws `ERR_NEARFAR_FD_TABLE_MISMATCH` A descriptor belongs to another table than the current task's.
 * @throws `ERR_NEARFAR_BATCH` A batch is being collected, and the call returns a value.
 * @throws `ERR_NEARFAR_TASK_GONE` The current task has executed a program, exited or died.
 * @throws `ERR_NEARFAR_BROKEN_REPLY` The bytes are none of a mount: another process has got hold of the task.
 * @throws `TypeError` An argument has the wrong type, a path holds a NUL byte, or a name is no field or flag.
 * @throws `TypeError` `byFd` is asked for, and `mount` is no descriptor.
 * @throws `RangeError` A number is out of its range.
 * @example
 * ```ts
 * await using task = await Task.clone({ namespaces: ["user", "mnt"], idMap: "root" });
 * task.run(() => {
 *   mount("scratch", "/tmp", "tmpfs", { flags: ["nosuid"] });
 *   const { fsType, attributes, atime } = statmount("/tmp");
 *   console.log(fsType, attributes, atime); // tmpfs [ 'nosuid' ] relatime
 * });
 * ```
 * @see statmount(2), Linux 6.8; no privilege for mounts that can be reached
 */
export function statmount(mount: bigint | LocationLike, options?: StatmountOptions & { encoding?: "utf8" }): MountStat;
export function statmount(
	mount: bigint | LocationLike,
	options: StatmountOptions & { encoding: "buffer" },
): MountStat<Buffer>;
export function statmount(mount: bigint | LocationLike, options?: StatmountOptions): MountStat<string | Buffer> {
	const given = checkOptions(options, ["mask", "flags", "namespace", "encoding"]);
	const asked = given.mask === undefined ? everything() : toBits(statmountMask, given.mask, "options.mask");
	const flags = toWord(statmountFlags, given.flags, "options.flags");
	const encoding = toEncoding(given.encoding);
	const namespace = toNamespaceId(given.namespace);
	const fd = flags & statmountFlags.byFd ? toDescriptor(mount) : undefined;
	const id = fd === undefined ? toMountId(mount, "mount") : 0n;
	// What the kernel supports tells an empty list of options from one that the kernel does not know.
	const mask = asked & OPTIONS && !(asked & statmountMask.supportedMask) ? asked + statmountMask.supportedMask : asked;
	for (let buffer = firstBuffer; ; buffer = Buffer.alloc(buffer.length * 2)) {
		const fields = buffer === firstBuffer ? firstFields : fieldsOf(buffer);
		fields.setUint32(0, 0); // a task that another process has got hold of may return no size: the last one must not count
		try {
			native().statmount(id, fd, mask, namespace, flags, buffer);
			return decodeMountStat(buffer, fields, asked, encoding);
		} catch (error) {
			if (!(error instanceof SyscallError && error.code === "EOVERFLOW") || buffer.length >= LAST) throw error;
		}
	}
}

function fieldsOf({ buffer, byteOffset, length }: Buffer): DataView {
	return new DataView(buffer, byteOffset, length);
}

function toDescriptor(mount: bigint | LocationLike): number {
	if (!(mount instanceof FileDescriptor)) throw wrongType("mount", 'a FileDescriptor with "byFd"', mount);
	return numberOf(mount, "mount");
}

let allFields: number | undefined;

function everything(): number {
	allFields ??= Object.values(statmountMask).reduce((sum, bit) => sum | bit, 0) & ~statmountMask.mntOpts;
	return allFields;
}
