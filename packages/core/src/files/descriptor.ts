import type { Buffer } from "node:buffer";
import { openFlags } from "../addon/flags.generated.ts";
import { native } from "../addon/native.ts";
import {
	boolean,
	options as checkOptions,
	descriptorNumber,
	integer,
	offset,
	optionalBoolean,
	outOfRange,
	wrongType,
} from "../arguments.ts";
import { BatchError } from "../errors.ts";
import { type FDTable, OpenFile } from "../identity.ts";
import { currentBatch, currentTask, isInNode, nearTask, taskControl } from "../target/target.ts";
import { Handle, hasOwner, invalidateHandles } from "./handle.ts";

const CLOEXEC = 1; // FD_CLOEXEC
const MOST_WRITTEN = 0x7fff_f000; // the kernel's MAX_RW_COUNT: the most bytes that one call writes

/** {@link FileDescriptor} or a class that extends it. Static methods make an object of the class they are called on. */
export interface DescriptorClass<T extends FileDescriptor> {
	readonly prototype: T;
}

let handleOf: (fd: FileDescriptor) => Handle;

/**
 * A descriptor with one owner, in one table, close-on-exec from birth.
 *
 * Close it, or declare it with `using`. A descriptor that is collected unclosed is closed then, and reported once as a
 * process warning. With `NEARFAR_TRACE=1` the warning says where the descriptor was made.
 *
 * TypeScript compiles `using` for every Node. Plain JavaScript has it from Node 24 on, and `try` with `finally` does the
 * same everywhere.
 *
 * @example
 * ```ts
 * using file = openat2("/etc/hostname");
 * console.log(file.fd, file.read(64).toString());
 * ```
 * @example Without a using declaration
 * ```ts
 * const file = openat2("/etc/hostname");
 * try {
 *   console.log(file.read(64).toString());
 * } finally {
 *   file.close();
 * }
 * ```
 */
export class FileDescriptor implements Disposable {
	/** The table that the descriptor is in. */
	readonly table: FDTable;
	/** The open file behind the descriptor. All copies of a descriptor have the same one. */
	readonly file: OpenFile;
	readonly #handle: Handle;

	static {
		handleOf = (fd) => fd.#handle;
	}

	/**
	 * Called by `from`, `borrow` and the functions that return descriptors.
	 *
	 * @param number - The number in the table, or the slot that a batch has for it.
	 * @param table - The table that the descriptor is in.
	 * @param file - The open file behind the descriptor.
	 * @param owned - Whether the object closes the descriptor.
	 */
	protected constructor(number: number, table: FDTable, file: OpenFile, owned: boolean) {
		this.table = table;
		this.file = file;
		this.#handle = new Handle(number, table, owned);
	}

	/**
	 * Takes over a descriptor of the current task by its number.
	 *
	 * Near, that is a descriptor of this process. The end of a Worker does not close the descriptor, unlike those that nearfar
	 * has made in the Worker: Node itself closes the numbers that `node:fs` has opened there. In a task, the number is one that
	 * `task.syscall` has returned, or 0, 1 or 2. Await the batches of the task first: what a batch has opened has an owner only
	 * when the batch has resolved.
	 *
	 * @param fd - The number, 0 to 2147483647. From now on the returned object closes the descriptor.
	 * @returns A descriptor of the current task. The caller closes it, or declares it with `using`.
	 * @throws `EBADF` No descriptor with this number is open.
	 * @throws `ERR_NEARFAR_BATCH` A batch of a task is being collected. Another object may get the number before the batch runs.
	 * @throws `ERR_NEARFAR_BATCH` A task that will share the table is still being cloned.
	 * @throws `ERR_NEARFAR_TASK_GONE` The current task has executed a program, exited or died.
	 * @throws `TypeError` `fd` is not a number.
	 * @throws `RangeError` `fd` is out of its range. In a task also: the number is that of a channel, or another object owns it.
	 * @example
	 * ```ts
	 * import { openSync } from "node:fs";
	 *
	 * using file = FileDescriptor.from(openSync("/etc/hostname", "r"));
	 * console.log(file.read(64).toString());
	 * ```
	 * @see fcntl(2); no privilege
	 */
	static from<T extends FileDescriptor>(this: DescriptorClass<T>, fd: number): T {
		// biome-ignore lint/complexity/noThisInStatic: a subclass makes its own kind
		return isInNode() ? wrapNear(this, fd, true) : adoptNumber(this, fd);
	}

	/**
	 * Uses a descriptor of this process that other code closes: 0, 1, 2, or that of a Node handle. Which task is current does
	 * not matter.
	 *
	 * @param fd - The number, 0 to 2147483647. The returned object never closes it.
	 * @returns A descriptor of this process, whose `close` gives the number up and leaves the descriptor open.
	 * @throws `EBADF` No descriptor with this number is open.
	 * @throws `TypeError` `fd` is not a number.
	 * @throws `RangeError` `fd` is out of its range.
	 * @example
	 * ```ts
	 * FileDescriptor.borrow(1).write("hello\n");
	 * ```
	 * @see fcntl(2); no privilege
	 */
	static borrow<T extends FileDescriptor>(this: DescriptorClass<T>, fd: number): T {
		// biome-ignore lint/complexity/noThisInStatic: a subclass makes its own kind
		return wrapNear(this, fd, false);
	}

	/**
	 * The number of the descriptor in its own table.
	 *
	 * @throws `ERR_NEARFAR_CLOSED` The descriptor is closed.
	 * @throws `ERR_NEARFAR_BATCH` The batch that makes the descriptor has not run yet.
	 */
	get fd(): number {
		return this.#handle.number;
	}

	/** Whether the descriptor was closed, or given up with `take`. */
	get closed(): boolean {
		return this.#handle.closed;
	}

	/**
	 * Whether execve(2) closes the descriptor. Reading and setting the property ask the kernel.
	 */
	get closeOnExec(): boolean {
		return this.#run(() => (native().getFlags(this.#number()) & CLOEXEC) !== 0);
	}
	set closeOnExec(value: boolean) {
		const flags = boolean(value, "closeOnExec") ? CLOEXEC : 0;
		this.#run(() => native().setFlags(this.#number(), flags));
	}

	/**
	 * Whether reads and writes wait, that is `O_NONBLOCK` is not set. Reading and setting the property ask the kernel.
	 * All copies of a descriptor share the flag.
	 */
	get blocking(): boolean {
		return this.#run(() => (native().getStatus(this.#number()) & openFlags.nonblock) === 0);
	}
	set blocking(value: boolean) {
		boolean(value, "blocking");
		this.#run(() => {
			const others = native().getStatus(this.#number()) & ~openFlags.nonblock;
			native().setStatus(this.#number(), value ? others : others | openFlags.nonblock);
		});
	}

	/**
	 * Duplicates the descriptor: makes another one for the same open file, with the lowest free number.
	 *
	 * @param options - `closeOnExec`: default true. `min`: the lowest number wanted, default 0.
	 * @returns A descriptor of the same class and table. The caller closes it, or declares it with `using`.
	 * @throws `EMFILE` The task has reached its limit of descriptors.
	 * @throws `EINVAL` `min` is above the limit of descriptors.
	 * @throws `ERR_NEARFAR_CLOSED` The descriptor is closed.
	 * @throws `ERR_NEARFAR_FD_TABLE_MISMATCH` The descriptor belongs to another table than the current task's.
	 * @throws `ERR_NEARFAR_BATCH` The batch that makes the descriptor has not run yet.
	 * @throws `ERR_NEARFAR_TASK_GONE` The current task has executed a program, exited or died.
	 * @throws `TypeError` An option has the wrong type.
	 * @throws `RangeError` `min` is out of its range.
	 * @example
	 * ```ts
	 * using file = openat2("/etc/hostname");
	 * using copy = file.dup({ min: 100 });
	 * console.log(copy.fd >= 100, copy.file === file.file); // true true
	 * ```
	 * @see fcntl(2) F_DUPFD_CLOEXEC; no privilege
	 */
	dup(options?: { closeOnExec?: boolean; min?: number }): this {
		const { closeOnExec, min = 0 } = checkOptions(options, ["closeOnExec", "min"]);
		const cloexec = optionalBoolean(closeOnExec, "closeOnExec") ?? true;
		const made = native().dup(this.#number(), descriptorNumber(min, "min"), cloexec);
		return adoptCopy(this, made);
	}

	/**
	 * Duplicates the descriptor to a chosen number. In a task, a descriptor that has the number is closed first.
	 *
	 * @param fd - The number, 0 to 2147483647. Near, a number that is in use is refused, because Node may be using the descriptor.
	 * @param options - `closeOnExec`: default true.
	 * @returns A descriptor of the same class and table. The caller closes it, or declares it with `using`.
	 * @throws `EBADF` The number is above the limit of descriptors.
	 * @throws `EINVAL` The descriptor has this number already.
	 * @throws `ERR_NEARFAR_CLOSED` The descriptor is closed.
	 * @throws `ERR_NEARFAR_FD_TABLE_MISMATCH` The descriptor belongs to another table than the current task's.
	 * @throws `ERR_NEARFAR_BATCH` The batch that makes the descriptor has not run yet.
	 * @throws `ERR_NEARFAR_BATCH` A task that will share the table is still being cloned.
	 * @throws `ERR_NEARFAR_TASK_GONE` The current task has executed a program, exited or died.
	 * @throws `TypeError` An argument has the wrong type.
	 * @throws `RangeError` The number is out of its range, is that of the task's channel, or is in use near.
	 * @example
	 * ```ts
	 * await using task = await Task.clone();
	 * const stdout = task.put(FileDescriptor.borrow(2));
	 * task.run(() => stdout.dupTo(1)); // what the task executes writes its output to Node's stderr
	 * ```
	 * @see dup3(2); no privilege
	 */
	dupTo(fd: number, options?: { closeOnExec?: boolean }): this {
		const to = descriptorNumber(fd);
		const cloexec = optionalBoolean(checkOptions(options, ["closeOnExec"]).closeOnExec, "closeOnExec") ?? true;
		const task = currentTask();
		taskControl().refuseChannel(task, to, "fd");
		const number = this.#number();
		if (isInNode(task) && isOpen(to)) throw outOfRange("fd", "a number that is not in use in this process", fd);
		const made = native().dup3(number, to, cloexec ? openFlags.cloexec : 0);
		invalidateHandles(this.table, to, to);
		return adoptCopy(this, made);
	}

	/**
	 * Reads once.
	 *
	 * @param length - The most bytes to read, 0 to 2147483647.
	 * @param options - `position`: the byte offset to read at, 0 to 9007199254740991. The file offset then stays where it
	 * is. Default: reads at the file offset and moves it.
	 * @returns The bytes read. There may be fewer than `length`; there are none at the end of the file.
	 * @throws `EAGAIN` There is nothing to read, and the descriptor is nonblocking.
	 * @throws `EISDIR` The descriptor is that of a directory.
	 * @throws `EBADF` The descriptor is not open for reading.
	 * @throws `ESPIPE` `position` is given for a pipe, a socket or another file that has no offset.
	 * @throws `ERR_NEARFAR_CLOSED` The descriptor is closed.
	 * @throws `ERR_NEARFAR_FD_TABLE_MISMATCH` The descriptor belongs to another table than the current task's.
	 * @throws `ERR_NEARFAR_BATCH` A batch is being collected, and a read returns a value.
	 * @throws `ERR_NEARFAR_TASK_GONE` The current task has executed a program, exited or died.
	 * @throws `TypeError` An argument has the wrong type.
	 * @throws `RangeError` A number is out of its range.
	 * @example
	 * ```ts
	 * using file = openat2("/etc/passwd");
	 * console.log(file.read(4).length, file.read(4, { position: 0 }).toString()); // 4 root
	 * ```
	 * @see read(2), pread(2); no privilege
	 */
	read(length: number, options?: { position?: number | bigint }): Buffer {
		integer(length, "length", 0, 2 ** 31 - 1);
		return native().read(this.#number(), length, toOffset(checkOptions(options, ["position"]).position));
	}

	/**
	 * Writes once. A batch goes on only if all bytes were written.
	 *
	 * @param data - Bytes, or text to write as UTF-8. In a batch at most 2147479552 bytes.
	 * @param options - `position`: the byte offset to write at, 0 to 9007199254740991. The file offset then stays where it
	 * is. Default: writes at the file offset and moves it.
	 * @returns The number of bytes written, which may be fewer than `data` has: at most 2147479552. In a batch the number of
	 * all bytes.
	 * @throws `ENOMEM` This process has no memory for a copy of the bytes.
	 * @throws `EAGAIN` There is no room, and the descriptor is nonblocking.
	 * @throws `EPIPE` The other end of the pipe or socket is closed. In a task the kernel also sends SIGPIPE, which kills the task
	 * unless `sigaction("SIGPIPE", "ignore")` of `@nearfar/process` was called there.
	 * @throws `EFBIG` The file would be longer than RLIMIT_FSIZE allows. The kernel also sends SIGXFSZ, which kills a task.
	 * @throws `ENOSPC` The device is full.
	 * @throws `EIO` In a batch: the kernel wrote fewer bytes than `data` has. The calls before this one and the bytes that were written stay.
	 * @throws `EBADF` The descriptor is not open for writing.
	 * @throws `ESPIPE` `position` is given for a pipe, a socket or another file that has no offset.
	 * @throws `ERR_NEARFAR_CLOSED` The descriptor is closed.
	 * @throws `ERR_NEARFAR_FD_TABLE_MISMATCH` The descriptor belongs to another table than the current task's.
	 * @throws `ERR_NEARFAR_BATCH` The descriptor is made by another batch, which has not run yet.
	 * @throws `ERR_NEARFAR_TASK_GONE` The current task has executed a program, exited or died.
	 * @throws `TypeError` An argument has the wrong type.
	 * @throws `RangeError` The position is out of its range, or a batch gets more than 2147479552 bytes.
	 * @example
	 * ```ts
	 * const [read, write] = pipe();
	 * console.log(write.write("hello")); // 5
	 * write.close();
	 * read.close();
	 * ```
	 * @see write(2), pwrite(2); no privilege
	 */
	write(data: Uint8Array | string, options?: { position?: number | bigint }): number {
		if (typeof data !== "string" && !(data instanceof Uint8Array))
			throw wrongType("data", "a Uint8Array or a string", data);
		const bytes = typeof data === "string" ? new TextEncoder().encode(data) : data;
		if (bytes.length > MOST_WRITTEN && currentBatch()) {
			throw outOfRange("data", `at most ${MOST_WRITTEN} bytes in a batch`, bytes.length);
		}
		return native().write(this.#number(), bytes, toOffset(checkOptions(options, ["position"]).position));
	}

	/**
	 * Closes the descriptor, in the task that has its table, whichever task is current.
	 *
	 * If a batch has still to make the descriptor, it is closed when the batch has run. Closing again does nothing. A
	 * borrowed descriptor is given up and stays open.
	 *
	 * @throws `EBADF` Other code has closed the number already. Look for that code: next time the number may belong to
	 * another file.
	 * @see close(2); no privilege
	 */
	close(): void {
		this.#handle.close();
	}

	/**
	 * Gives the number up: from now on the caller closes it.
	 *
	 * @returns The number in the descriptor's own table.
	 * @throws `ERR_NEARFAR_CLOSED` The descriptor is closed.
	 * @throws `ERR_NEARFAR_BATCH` The batch that makes the descriptor has not run yet.
	 */
	take(): number {
		const number = this.fd;
		this.#handle.giveUp();
		return number;
	}

	/** Closes the descriptor. */
	[Symbol.dispose](): void {
		this.close();
	}

	#number(): number {
		return this.#handle.numberForCall();
	}

	/** Runs `fn` in a task that has the table, whichever task is current. */
	#run<T>(fn: () => T): T {
		this.#handle.assertOpen("use");
		return this.#handle.runInOwner(fn);
	}
}

/**
 * Wraps the number of a descriptor that a call of the current task has just made.
 *
 * @param kind - The class of the new object. Default: `FileDescriptor`.
 */
export function adoptDescriptor(number: number): FileDescriptor;
export function adoptDescriptor<T extends FileDescriptor>(number: number, kind: DescriptorClass<T>): T;
export function adoptDescriptor(
	number: number,
	kind: DescriptorClass<FileDescriptor> = FileDescriptor,
): FileDescriptor {
	return make(kind, number, currentTask().fdTable, new OpenFile(), true);
}

/**
 * Wraps the number of a copy of a descriptor. The new object has the class and the open file of the original.
 *
 * @param table - The table that the copy is in. Default: the current task's.
 */
export function adoptCopy<T extends FileDescriptor>(original: T, number: number, table = currentTask().fdTable): T {
	return make(original.constructor as unknown as DescriptorClass<T>, number, table, original.file, true);
}

/**
 * Returns an object of another class for a descriptor that a call of the current task has just made. The former object is given up.
 *
 * @param kind - The class of the new object.
 */
export function changeClass<T extends FileDescriptor>(fd: FileDescriptor, kind: DescriptorClass<T>): T {
	const number = numberOf(fd);
	handleOf(fd).forget();
	return make(kind, number, fd.table, fd.file, true);
}

/**
 * Returns the number of a descriptor for a call of the current task.
 *
 * @throws `FDTableMismatchError` The descriptor belongs to another table than the current task's.
 * @throws `ClosedError` The descriptor is closed.
 * @throws `BatchError` The descriptor is made by another batch, which has not run yet.
 * @throws `TypeError` `fd` is not a descriptor; `name` is what the message calls it.
 */
export function numberOf(fd: FileDescriptor, name = "fd"): number {
	return handleOf(checkDescriptor(fd, name)).numberForCall();
}

/** Returns `fd`, or throws a `TypeError` if it is not a descriptor. */
export function checkDescriptor(fd: FileDescriptor, name = "fd"): FileDescriptor {
	if (!(fd instanceof FileDescriptor)) throw wrongType(name, "a FileDescriptor", fd);
	return fd;
}

/** Runs `fn` in a task that has the table of a descriptor: in the current task if it has, else in another one. */
export function runInOwner<T>(fd: FileDescriptor, fn: () => T): T {
	return handleOf(fd).runInOwner(fn);
}

/**
 * Calls `listener` once, when a descriptor is closed or given up, or another call has closed or replaced its number.
 *
 * @returns A function that takes the listener away.
 */
export function whenForgotten(fd: FileDescriptor, listener: () => void): () => void {
	return handleOf(fd).whenForgotten(listener);
}

/** True when the object is open and closes its number, and no later object closes the same number. */
export function ownsNumber(fd: FileDescriptor): boolean {
	return handleOf(fd).isRegistered;
}

function wrapNear<T extends FileDescriptor>(kind: DescriptorClass<T>, fd: number, owned: boolean): T {
	const number = descriptorNumber(fd);
	const near = nearTask();
	near.run(() => native().getFlags(number));
	return make(kind, number, near.fdTable, new OpenFile(), owned);
}

/** Takes over a number of the current task, which is not this process. */
function adoptNumber<T extends FileDescriptor>(kind: DescriptorClass<T>, fd: number): T {
	const number = descriptorNumber(fd);
	if (currentBatch()) {
		throw new BatchError(
			"cannot take a number over in a batch, in which no call has run yet: take it over before, or in task.run()",
		);
	}
	const task = currentTask();
	taskControl().refuseChannel(task, number, "fd");
	native().getFlags(number);
	if (hasOwner(task.fdTable, number)) throw outOfRange("fd", `a number that no other object of ${task} owns`, fd);
	return make(kind, number, task.fdTable, new OpenFile(), true);
}

/** Calls the constructor, which is protected. A subclass has the same one. */
function make<T extends FileDescriptor>(
	kind: DescriptorClass<T>,
	...parts: [number: number, table: FDTable, file: OpenFile, owned: boolean]
): T {
	return new (kind as unknown as new (...parts: unknown[]) => T)(...parts);
}

/** Whether a number is open in this process. */
function isOpen(fd: number): boolean {
	return nearTask().run(() => {
		try {
			native().getFlags(fd);
			return true;
		} catch {
			return false; // F_GETFD fails with EBADF alone
		}
	});
}

function toOffset(position: number | bigint | undefined): number | undefined {
	return position === undefined ? undefined : offset(position, "position");
}
