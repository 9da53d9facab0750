import { type FlockOperation, flockOperations, type LockType, lockTypes } from "../addon/flags.generated.ts";
import { toChoice } from "../addon/flags.ts";
import { native } from "../addon/native.ts";
import { options as checkOptions, offset, optionalBoolean } from "../arguments.ts";
import { NearfarError } from "../errors.ts";
import { currentTask } from "../target/target.ts";
import { type FileDescriptor, numberOf } from "./descriptor.ts";

/** A part of a file. */
export interface LockRange {
	/** The first byte, 0 to 9007199254740991. Default: 0. */
	start?: number | bigint;
	/** The number of bytes, 0 to 9007199254740991. Default: 0, which means to the end of the file, however long it grows. */
	length?: number | bigint;
}

/** A lock that another open file has. */
export interface HeldLock {
	/** `"read"`: the lock allows read locks beside it. `"write"`: it allows none. */
	readonly type: "read" | "write";
	/** The first byte. */
	readonly start: bigint;
	/** The number of bytes. 0: to the end of the file. */
	readonly length: bigint;
	/**
	 * The process that has the lock, as the task sees it. `undefined` for a lock of {@link lock}, which belongs to no process,
	 * and for a process outside of the task's pid namespace.
	 */
	readonly pid: number | undefined;
}

/**
 * Locks a whole file for cooperating programs, or gives the lock up.
 *
 * The lock belongs to the open file, and so to all copies of the descriptor, in every task. It ends when the last copy is
 * closed. A second lock of the same open file replaces the first: the change is not one step, and another program may come
 * between. Locks of {@link lock} are separate ones.
 *
 * The call does not wait: a lock that is taken is `EAGAIN`. With `wait` it waits, in a task alone, because near it would stop
 * Node's thread. In `task.run` it still blocks Node's thread until the lock is free; in `task.batch` it does not.
 *
 * @param fd - An open file, whether for reading or for writing.
 * @param operation - `"shared"` takes a lock beside which others may take shared ones, `"exclusive"` one that excludes all
 * others, `"unlock"` gives it up.
 * @param options - `wait`: whether to wait for the lock, default false.
 * @throws `EAGAIN` Another open file has a lock that excludes this one. It is the `EWOULDBLOCK` of the man page.
 * @throws `EBADF` The descriptor was opened with `path`, or other code has closed its number.
 * @throws `ENOLCK` The kernel has no memory for locks.
 * @throws `ERR_NEARFAR_NEAR` `wait` is asked for, and the call would wait in this process.
 * @throws `ERR_NEARFAR_CLOSED` The descriptor is closed.
 * @throws `ERR_NEARFAR_FD_TABLE_MISMATCH` The descriptor belongs to another table than the current task's.
 * @throws `ERR_NEARFAR_BATCH` The batch that makes the descriptor has not run yet.
 * @throws `ERR_NEARFAR_TASK_GONE` The current task has executed a program, exited or died.
 * @throws `TypeError` An argument has the wrong type, or the operation is unknown.
 * @example
 * ```ts
 * await using task = await Task.clone();
 * using file = openat2("/tmp", { flags: ["tmpfile", "rdwr"], mode: 0o600 });
 * const far = task.put(file); // a copy: the lock that the task waits for is that of `file`, too
 * await task.batch(() => flock(far, "exclusive", { wait: true }));
 * flock(file, "unlock");
 * ```
 * @see flock(2); no privilege
 */
export function flock(fd: FileDescriptor, operation: FlockOperation, options?: { wait?: boolean }): void {
	const number = toChoice(flockOperations, operation, "operation");
	const wait = mayWait(checkOptions(options, ["wait"]).wait);
	native().flock(numberOf(fd), number, wait);
}

/**
 * Locks a part of a file for cooperating programs, or gives locks up: an open file description lock of fcntl(2).
 *
 * The lock belongs to the open file, and so to all copies of the descriptor, in every task. It ends when the last copy is
 * closed. A lock of the same open file replaces what it has in the range, in one step. The classic locks of a process
 * (`F_SETLK`) exclude these ones, and these exclude them. The kernel finds no deadlock between these locks.
 *
 * The call does not wait: a range that is locked is `EAGAIN`. With `wait` it waits, in a task alone, because near it would
 * stop Node's thread. In `task.run` it still blocks Node's thread until the range is free; in `task.batch` it does not.
 *
 * @param fd - A file that is open for reading for a read lock, and for writing for a write lock.
 * @param type - `"read"` takes a lock beside which others may take read locks, `"write"` one that excludes all others,
 * `"unlock"` gives up what this open file has in the range.
 * @param options - `start` and `length`: the range in bytes, default the whole file. `wait`: whether to wait for the lock,
 * default false.
 * @throws `EAGAIN` Another open file, or a process, has a lock in the range that excludes this one.
 * @throws `EBADF` The file is not open in the way that the type needs, or other code has closed the number.
 * @throws `EINVAL` The file has no locks, as a pipe has none.
 * @throws `ENOLCK` The kernel has no memory for locks.
 * @throws `ERR_NEARFAR_NEAR` `wait` is asked for, and the call would wait in this process.
 * @throws `ERR_NEARFAR_CLOSED` The descriptor is closed.
 * @throws `ERR_NEARFAR_FD_TABLE_MISMATCH` The descriptor belongs to another table than the current task's.
 * @throws `ERR_NEARFAR_BATCH` The batch that makes the descriptor has not run yet.
 * @throws `ERR_NEARFAR_TASK_GONE` The current task has executed a program, exited or died.
 * @throws `TypeError` An argument has the wrong type, or the type of lock is unknown.
 * @throws `RangeError` A number is out of its range.
 * @example
 * ```ts
 * using file = openat2("/tmp", { flags: ["tmpfile", "rdwr"], mode: 0o600 });
 * lock(file, "write", { start: 0, length: 100 });
 * lock(file, "unlock");
 * ```
 * @see fcntl(2) F_OFD_SETLK and F_OFD_SETLKW, Linux 3.15; no privilege
 */
export function lock(fd: FileDescriptor, type: LockType, options?: LockRange & { wait?: boolean }): void {
	const kind = toChoice(lockTypes, type, "type");
	const { start, length, wait } = checkOptions(options, ["start", "length", "wait"]);
	const range = toRange(start, length);
	const waits = mayWait(wait);
	native().setLock(numberOf(fd), kind, ...range, waits);
}

/**
 * Returns a lock that excludes another one, without taking any.
 *
 * When {@link lock} is called afterwards, the answer may be out of date.
 *
 * @param fd - A file that is open for reading for a read lock, and for writing for a write lock.
 * @param type - The lock to ask for: `"read"` or `"write"`.
 * @param options - `start` and `length`: the range in bytes, default the whole file.
 * @returns The first lock of another open file, or of a process, that stands in the way. `undefined`: none does.
 * @throws `EBADF` Other code has closed the number, or the descriptor was opened with `path`.
 * @throws `EINVAL` The file has no locks, as a pipe has none.
 * @throws `ERR_NEARFAR_CLOSED` The descriptor is closed.
 * @throws `ERR_NEARFAR_FD_TABLE_MISMATCH` The descriptor belongs to another table than the current task's.
 * @throws `ERR_NEARFAR_BATCH` A batch is being collected, and the call returns a value.
 * @throws `ERR_NEARFAR_TASK_GONE` The current task has executed a program, exited or died.
 * @throws `TypeError` An argument has the wrong type, or the type of lock is unknown.
 * @throws `RangeError` A number is out of its range.
 * @example
 * ```ts
 * using file = openat2("/tmp", { flags: ["tmpfile", "rdwr"], mode: 0o600 });
 * lock(file, "write");
 * console.log(testLock(file, "write")); // undefined: a file does not exclude itself
 * ```
 * @see fcntl(2) F_OFD_GETLK, Linux 3.15; no privilege
 */
export function testLock(fd: FileDescriptor, type: "read" | "write", options?: LockRange): HeldLock | undefined {
	const { read, write, unlock } = lockTypes;
	const kind = toChoice({ read, write }, type, "type");
	const { start, length } = checkOptions(options, ["start", "length"]);
	const bytes = native().getLock(numberOf(fd), kind, ...toRange(start, length));
	// struct flock: l_type, l_whence, padding, l_start, l_len, l_pid.
	const [held, pid] = [bytes.readUInt16LE(0), bytes.readInt32LE(24)];
	if (held === unlock) return undefined;
	return {
		type: held === read ? "read" : "write",
		start: bytes.readBigInt64LE(8),
		length: bytes.readBigInt64LE(16),
		pid: pid > 0 ? pid : undefined,
	};
}

/** Checks a range. Returns its first byte and its length. */
function toRange(start: number | bigint = 0, length: number | bigint = 0): [start: number, length: number] {
	return [offset(start, "options.start"), offset(length, "options.length")];
}

/** Checks the option `wait`. Near it is refused: the call would stop Node's thread. */
function mayWait(wait: boolean | undefined): boolean {
	if (!optionalBoolean(wait, "options.wait")) return false;
	if (!currentTask().isNear) return true;
	throw new NearfarError(
		"NEAR",
		"cannot wait for a lock in this process: Node's thread would stand still; put the descriptor into a task, and wait there in task.batch()",
	);
}
