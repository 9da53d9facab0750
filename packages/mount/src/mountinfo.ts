import type { Buffer } from "node:buffer";
import { BatchError, type FileDescriptor, Location, openat2, Process, SyscallError } from "@nearfar/core";
import {
	adoptDescriptor,
	options as checkOptions,
	pid as checkPid,
	currentBatch,
	type Encoding,
	native,
	numberOf,
	openOwnProc,
	openProcessFolder,
	readAll,
	taskOf,
	toEncoding,
	visiblePid,
	wrongType,
} from "@nearfar/core/internal";
import { type MountInfo, parse } from "./parse-mountinfo.ts";

const ESRCH = 3;

/**
 * Returns the mounts of the mount namespace of the current task, or of another process, as `/proc/PID/mountinfo` shows them.
 *
 * The mounts are those that can be reached from the root of the process. The file of the kernel is no snapshot: while mounts
 * change, lines can be missing. The order is not that of stacking: {@link listmount} has ids that grow. Whether a file is a
 * mount point is no question for this function: `statx(file).attributes.mountRoot` answers it, also through links.
 *
 * @param process - A process, or its pid in the pid namespace of the current task. Default: the current task itself.
 * @param options - `encoding`: `"utf8"` returns `root`, `mountPoint` and `source` as strings, in which bytes that are not UTF-8
 * become U+FFFD; `"buffer"` returns their bytes. Default: `"utf8"`.
 * @returns The mounts, in the order of the file.
 * @throws `ENOENT` The task sees no procfs on `/proc`, or one that does not show the process.
 * @throws `EXDEV` Something is mounted on `/proc/thread-self/mountinfo`.
 * @throws `ESRCH` No process has the pid, or the process was reaped meanwhile.
 * @throws `EINVAL` The process has ended and was not reaped yet.
 * @throws `EMFILE` The task has reached its limit of descriptors.
 * @throws `ERR_NEARFAR_FORMAT` A line has another format. No line is skipped.
 * @throws `ERR_NEARFAR_NAMESPACE_MISMATCH` The process has its pid in another pid namespace than the current task.
 * @throws `ERR_NEARFAR_CHILD_DEAD` The process is a child that has ended.
 * @throws `ERR_NEARFAR_BATCH` A batch is being collected, and the function returns a value.
 * @throws `ERR_NEARFAR_TASK_GONE` The current task has executed a program, exited or died.
 * @throws `TypeError` An argument has the wrong type, or the encoding is unknown.
 * @throws `RangeError` The pid is not a whole number from 1 to 2147483647.
 * @example
 * ```ts
 * await using task = await Task.clone({ namespaces: ["user", "mnt"], idMap: "root" });
 * task.run(() => mount("scratch", "/tmp", "tmpfs"));
 * const inside = mountinfo(task.process).find(({ source }) => source === "scratch");
 * console.log(inside?.mountPoint, inside?.fsType); // /tmp tmpfs
 * ```
 * @see proc_pid_mountinfo(5); no privilege
 */
export function mountinfo(process?: number | Process, options?: { encoding?: "utf8" }): MountInfo[];
export function mountinfo(process: number | Process | undefined, options: { encoding: "buffer" }): MountInfo<Buffer>[];
export function mountinfo(process?: number | Process, options?: { encoding?: Encoding }): MountInfo<string | Buffer>[] {
	const encoding = toEncoding(checkOptions(options, ["encoding"]).encoding);
	const pid = process === undefined ? undefined : toPid(process);
	if (currentBatch()) {
		throw new BatchError("cannot read mountinfo in a batch: its lines are known only after the batch has run");
	}
	using file = pid === undefined ? openOwnProc("thread-self/mountinfo") : openMountinfo(pid);
	return parse(readAll(file), encoding);
}

function toPid(process: number | Process): number {
	if (process instanceof Process) return visiblePid(process);
	if (typeof process !== "number") throw wrongType("process", "a number or a Process", process);
	return checkPid(process, "process");
}

/** Opens the file of a process that the current task knows by this pid. The mounted `/proc` may use other numbers. */
function openMountinfo(pid: number): FileDescriptor {
	using pidfd = adoptDescriptor(native().pidfdOpen(pid, 0));
	using folder = openProcessFolder(numberOf(pidfd));
	if (!folder) throw new SyscallError({ code: "ESRCH", errno: ESRCH, syscall: "openat2" }, taskOf());
	return openat2(new Location(folder, "mountinfo"));
}
