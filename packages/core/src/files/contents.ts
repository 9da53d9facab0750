import { native } from "../addon/native.ts";
import { options as checkOptions, offset, optionalBoolean } from "../arguments.ts";
import { type FileDescriptor, numberOf } from "./descriptor.ts";

/**
 * Makes a file longer or shorter.
 *
 * A longer file reads as zeros there, and takes no space on the device until it is written. The file offset stays.
 *
 * A length over the task's limit (RLIMIT_FSIZE) is `EFBIG`, and the kernel also sends SIGXFSZ, which kills a task. Node
 * ignores the signal.
 *
 * @param fd - A regular file that is open for writing.
 * @param length - The new length in bytes, 0 to 9007199254740991.
 * @throws `EINVAL` The file is not a regular file, or not open for writing.
 * @throws `EBADF` The descriptor was opened with `path`, or other code has closed its number.
 * @throws `EFBIG` The length is above the limit of the file system or of the task.
 * @throws `EPERM` The file can only be appended to, or a seal forbids the change.
 * @throws `ENOSPC` The device is full.
 * @throws `ERR_NEARFAR_CLOSED` The descriptor is closed.
 * @throws `ERR_NEARFAR_FD_TABLE_MISMATCH` The descriptor belongs to another table than the current task's.
 * @throws `ERR_NEARFAR_BATCH` The batch that makes the descriptor has not run yet.
 * @throws `ERR_NEARFAR_TASK_GONE` The current task has executed a program, exited or died.
 * @throws `TypeError` An argument has the wrong type.
 * @throws `RangeError` The length is out of its range.
 * @example
 * ```ts
 * await using task = await Task.clone({ namespaces: ["user", "mnt"], idMap: "root" });
 * task.run(() => {
 *   mount("scratch", "/tmp", "tmpfs");
 *   using disk = openat2("/tmp/disk", { flags: ["creat", "rdwr"], mode: 0o600 });
 *   ftruncate(disk, 16 * 1024 ** 3);
 *   console.log(statx(disk).size, statx(disk).blocks); // 17179869184n 0n
 * });
 * ```
 * @see ftruncate(2); no privilege
 */
export function ftruncate(fd: FileDescriptor, length: number | bigint): void {
	const bytes = offset(length, "length");
	native().ftruncate(numberOf(fd), bytes);
}

/**
 * Waits until a file, as it is now, is on its device.
 *
 * For a new file, also wait for the directory that has its name. The call may take seconds. Near, and in `task.run`, it blocks
 * Node's thread as long; in `task.batch` it does not.
 *
 * @param fd - A file or a directory.
 * @param options - `dataOnly`: true waits for the contents and what is needed to read them, and not for times and mode. Default:
 * false.
 * @throws `EIO` The device has failed. The kernel reports each failure once: what was written before may be lost.
 * @throws `EINVAL` The file is a pipe, a socket or another one that has no device.
 * @throws `EBADF` The descriptor was opened with `path`, or other code has closed its number.
 * @throws `ENOSPC` The device is full.
 * @throws `EDQUOT` The user's quota is used up.
 * @throws `ERR_NEARFAR_CLOSED` The descriptor is closed.
 * @throws `ERR_NEARFAR_FD_TABLE_MISMATCH` The descriptor belongs to another table than the current task's.
 * @throws `ERR_NEARFAR_BATCH` The batch that makes the descriptor has not run yet.
 * @throws `ERR_NEARFAR_TASK_GONE` The current task has executed a program, exited or died.
 * @throws `TypeError` An argument has the wrong type.
 * @example
 * ```ts
 * await using task = await Task.clone();
 * using file = openat2("/tmp", { flags: ["tmpfile", "rdwr"], mode: 0o600 });
 * file.write("important");
 * const far = task.put(file);
 * await task.batch(() => fsync(far)); // waits without blocking the event loop
 * ```
 * @see fsync(2), fdatasync(2); no privilege
 */
export function fsync(fd: FileDescriptor, options?: { dataOnly?: boolean }): void {
	const dataOnly = optionalBoolean(checkOptions(options, ["dataOnly"]).dataOnly, "options.dataOnly");
	const number = numberOf(fd);
	if (dataOnly) native().fdatasync(number);
	else native().fsync(number);
}
