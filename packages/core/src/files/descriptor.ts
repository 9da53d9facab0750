import type { Buffer } from "node:buffer";
import { openFlags } from "../addon/flags.generated.ts";
import { native } from "../addon/native.ts";
import {
	boolean,
	options as checkOptions,
	descriptorNumber,
	integer,
	optionalBoolean,
	outOfRange,
	wrongType,
} from "../arguments.ts";
import { BatchError, ClosedError, FDTableMismatchError, TaskGoneError } from "../errors.ts";
import { type FDTable, handlesOf, OpenFile, sharersOf } from "../identity.ts";
import {
	type AnyTask,
	afterSuccess,
	type Batch,
	currentBatch,
	currentTask,
	nearTask,
	taskControl,
	withTarget,
} from "../target/target.ts";

const CLOEXEC = 1; // FD_CLOEXEC
const SLOT = -0x4000_0000; // numbers from here down: made by a batch that has not run

/** {@link FileDescriptor} or a class that extends it: what its static methods make is one of those. */
interface Kind<T extends FileDescriptor> {
	readonly prototype: T;
}

interface Leak {
	readonly table: FDTable;
	readonly number: number;
	readonly handle: WeakRef<FileDescriptor>;
	readonly made: string;
}

const leaks = new FinalizationRegistry(({ table, number, handle, made }: Leak) => {
	if (handlesOf(table).get(number) !== handle) return; // the number is somebody else's by now
	handlesOf(table).delete(number);
	const owner = sharersOf(table).worker();
	if (owner.state !== "live") return;
	taskControl().closeLater(owner, number);
	process.emitWarning(
		`descriptor ${number} of ${owner} was collected before it was closed${made}`,
		"NearfarLeakWarning",
	);
});

/**
 * A descriptor with one owner, in one table, close-on-exec from birth.
 *
 * Close it, or declare it with `using`. One that is collected unclosed is closed then, and reported once as a process
 * warning; with `NEARFAR_TRACE=1` the warning says where it was made.
 *
 * @example
 * ```ts
 * using file = openat2("/etc/hostname");
 * console.log(file.fd, file.read(64).toString());
 * ```
 */
export class FileDescriptor implements Disposable {
	/** The table it is in. */
	readonly table: FDTable;
	/** The open file behind it: the same for every copy of the descriptor. */
	readonly file: OpenFile;
	#number: number;
	#batch: Batch | undefined;
	#closed = false;
	/** How many calls in batches that have not ended will close or replace it. */
	#doomed = 0;
	/** Closed before it was made: by whoever has not waited for its batch. */
	#closesLate = false;
	#owned: boolean;

	/** Made by `from`, `borrow`, and what returns descriptors. */
	protected constructor(number: number, table: FDTable, file: OpenFile, owned: boolean) {
		this.#number = number;
		this.table = table;
		this.file = file;
		this.#owned = owned;
		if (number <= SLOT) this.#await(currentBatch());
		else this.#register();
	}

	/**
	 * Takes over a descriptor of this process by its number.
	 *
	 * @param fd - 0 to 2147483647; from now on this object closes it.
	 * @throws `EBADF` it is not open.
	 * @see fcntl(2); no privilege
	 */
	static from<T extends FileDescriptor>(this: Kind<T>, fd: number): T {
		// biome-ignore lint/complexity/noThisInStatic: a subclass makes its own kind
		return FileDescriptor.#near(this, fd, true);
	}

	/**
	 * Uses a descriptor of this process that somebody else closes: 0, 1, 2, or that of a Node handle.
	 *
	 * @throws `EBADF` it is not open.
	 * @see fcntl(2); no privilege
	 */
	static borrow<T extends FileDescriptor>(this: Kind<T>, fd: number): T {
		// biome-ignore lint/complexity/noThisInStatic: a subclass makes its own kind
		return FileDescriptor.#near(this, fd, false);
	}

	static #near<T extends FileDescriptor>(kind: Kind<T>, fd: number, owned: boolean): T {
		const number = descriptorNumber(fd);
		const near = nearTask();
		near.run(() => native().getFlags(number));
		return FileDescriptor.#make(kind, number, near.fdTable, new OpenFile(), owned);
	}

	/** The constructor is nobody's but a subclass's, and it takes what this one takes. */
	static #make<T extends FileDescriptor>(
		kind: Kind<T>,
		...parts: [number: number, table: FDTable, file: OpenFile, owned: boolean]
	): T {
		return new (kind as unknown as new (...parts: unknown[]) => T)(...parts);
	}

	/** Refuses what is not a descriptor. */
	static check(fd: FileDescriptor, name = "fd"): FileDescriptor {
		if (!(fd instanceof FileDescriptor)) throw wrongType(name, "a FileDescriptor", fd);
		return fd;
	}

	/** What a call of the current task has just made. */
	static adopt<T extends FileDescriptor>(this: Kind<T>, number: number, file: OpenFile = new OpenFile()): T {
		// biome-ignore lint/complexity/noThisInStatic: a subclass makes its own kind
		return FileDescriptor.#make(this, number, currentTask().fdTable, file, true);
	}

	/** What has appeared in another table than the current task's. */
	static adoptIn<T extends FileDescriptor>(this: Kind<T>, table: FDTable, number: number, file: OpenFile): T {
		// biome-ignore lint/complexity/noThisInStatic: a subclass makes its own kind
		return FileDescriptor.#make(this, number, table, file, true);
	}

	/** The class of a descriptor: its copies are of the same. */
	static kind<T extends FileDescriptor>(fd: T): typeof FileDescriptor & Kind<T> {
		return fd.constructor as typeof FileDescriptor & Kind<T>;
	}

	/** Its number in its own table. Throws `ClosedError` once closed. */
	get fd(): number {
		this.#assertOpen();
		if (this.#batch) throw new BatchError("this descriptor has no number until its batch has run");
		return this.#number;
	}

	/** Whether it was closed, or given up with `take`. */
	get closed(): boolean {
		return this.#closed;
	}

	/** The number for a call of the current task. */
	number(): number {
		this.#assertOpen();
		const task = currentTask();
		if (task.fdTable !== this.table) {
			throw new FDTableMismatchError(
				`${this.#number > SLOT ? `descriptor ${this.#number}` : "what the batch makes"} is one of the ${this.table}, ${task} has the ${task.fdTable}: use task.put() or task.get()`,
			);
		}
		if (this.#batch && this.#batch !== currentBatch()) {
			throw new BatchError("this descriptor cannot be used until its batch has run");
		}
		return this.#number;
	}

	/** Whether it goes away at execve(2), read and written in the kernel. */
	get closeOnExec(): boolean {
		return this.#inside(() => (native().getFlags(this.number()) & CLOEXEC) !== 0);
	}
	set closeOnExec(value: boolean) {
		const flags = boolean(value, "closeOnExec") ? CLOEXEC : 0;
		this.#inside(() => native().setFlags(this.number(), flags));
	}

	/** Whether reading and writing wait (`O_NONBLOCK` is not set), read and written in the kernel, for all copies. */
	get blocking(): boolean {
		return this.#inside(() => (native().getStatus(this.number()) & openFlags.nonblock) === 0);
	}
	set blocking(value: boolean) {
		boolean(value, "blocking");
		this.#inside(() => {
			const others = native().getStatus(this.number()) & ~openFlags.nonblock;
			native().setStatus(this.number(), value ? others : others | openFlags.nonblock);
		});
	}

	/**
	 * Makes another descriptor of the same open file, with the lowest free number.
	 *
	 * @param options - `closeOnExec`, default true; `min`: the lowest number wanted, default 0.
	 * @throws `EMFILE` the table is full · `EINVAL` `min` is over the limit
	 * @see fcntl(2) F_DUPFD_CLOEXEC; no privilege
	 */
	dup(options?: { closeOnExec?: boolean; min?: number }): this {
		const { closeOnExec, min = 0 } = checkOptions(options);
		const cloexec = optionalBoolean(closeOnExec, "closeOnExec") ?? true;
		const made = native().dup(this.number(), descriptorNumber(min, "min"), cloexec);
		return FileDescriptor.kind(this).adopt(made, this.file);
	}

	/**
	 * Makes the same open file available under a number of choice; what had the number in a task is closed.
	 *
	 * @param fd - Near, a number that is not in use: what has it may be Node's.
	 * @param options - `closeOnExec`, default true.
	 * @throws `EBADF` over the limit of descriptors · `EINVAL` its own number · `RangeError` the number of the task's channel
	 * @see dup3(2); no privilege
	 */
	dupTo(fd: number, options?: { closeOnExec?: boolean }): this {
		const to = descriptorNumber(fd);
		const cloexec = optionalBoolean(checkOptions(options).closeOnExec, "closeOnExec") ?? true;
		const task = currentTask();
		taskControl().refuseChannel(task, to, "fd");
		const number = this.number();
		if (task.isNear && isOpen(to)) throw outOfRange("fd", "a number that is not in use in this process", fd);
		const made = native().dup3(number, to, cloexec ? openFlags.cloexec : 0);
		FileDescriptor.invalidate(this.table, to, to);
		return FileDescriptor.kind(this).adopt(made, this.file);
	}

	/**
	 * Reads once.
	 *
	 * @param length - Bytes at most, 0 to 2147483647.
	 * @param options - `position`: byte offset to read at, leaving the file's own where it is. Default: there.
	 * @returns What came: perhaps less than asked for, nothing at the end of the file.
	 * @throws `EAGAIN` nothing there and not blocking · `EISDIR` a directory · `EBADF` not open for reading
	 * @see read(2), pread(2); no privilege
	 */
	read(length: number, options?: { position?: number | bigint }): Buffer {
		integer(length, "length", 0, 2 ** 31 - 1);
		return native().read(this.number(), length, offset(checkOptions(options).position));
	}

	/**
	 * Writes once.
	 *
	 * @param data - Bytes, or text as UTF-8.
	 * @param options - `position`: byte offset to write at, leaving the file's own where it is. Default: there.
	 * @returns How many bytes were written: perhaps not all.
	 * @throws `EAGAIN` no room and not blocking · `EPIPE` nobody reads · `ENOSPC` · `EBADF` not open for writing
	 * @see write(2), pwrite(2); no privilege
	 */
	write(data: Uint8Array | string, options?: { position?: number | bigint }): number {
		if (typeof data !== "string" && !(data instanceof Uint8Array))
			throw wrongType("data", "a Uint8Array or a string", data);
		const bytes = typeof data === "string" ? new TextEncoder().encode(data) : data;
		return native().write(this.number(), bytes, offset(checkOptions(options).position));
	}

	/**
	 * Closes it, in the task that has its table, whichever is current; what a batch has still to make, when that has run.
	 * Closing again does nothing.
	 *
	 * @throws `EBADF` somebody else has closed the number: a mistake worth knowing of.
	 * @see close(2)
	 */
	close(): void {
		if (this.#closed) return;
		const owner = this.#owner();
		const batch = currentBatch();
		const number = this.#number;
		this.#closesLate = this.#batch !== undefined && this.#batch !== batch;
		const closes = !this.#closesLate && this.#owned && owner.state === "live";
		if (closes && batch && (this.#batch === batch || owner === currentTask())) {
			this.#void(); // before: when it is tried the number is free, whatever close(2) says
			native().close(number);
		} else {
			this.#forget();
			if (closes) closeIn(owner, number);
		}
	}

	/** Gives the number up: from now on somebody else closes it. */
	take(): number {
		const number = this.fd;
		this.#forget();
		return number;
	}

	/** Closes it. */
	[Symbol.dispose](): void {
		this.close();
	}

	/** Handles of these numbers mean nothing any more: the call that was made last has closed or replaced them. */
	static invalidate(table: FDTable, first: number, last: number): void {
		for (const [number, handle] of handlesOf(table)) {
			if (number < first || number > last) continue;
			const descriptor = handle.deref();
			if (descriptor) descriptor.#void();
			else handlesOf(table).delete(number); // it was collected, which nobody has heard of yet
		}
	}

	/** Called when it means nothing any more: closed, given up, or its number is another's. */
	protected forgotten(): void {}

	#inside<T>(fn: () => T): T {
		this.#assertOpen();
		const owner = this.#owner();
		return owner === currentTask() ? fn() : owner.run(fn);
	}

	/** Who works on it: the current task if it has the table, else another that has. */
	#owner(): AnyTask {
		const current = currentTask();
		return current.fdTable === this.table ? current : sharersOf(this.table).worker();
	}

	#assertOpen(): void {
		if (this.#closed) throw new ClosedError("this descriptor was closed or given up");
	}

	#await(batch: Batch | undefined): void {
		if (!batch) throw new BatchError("a descriptor without a number outside a batch");
		this.#batch = batch;
		const slot = SLOT - this.#number;
		batch.whenEnded.push((numbers) => {
			this.#batch = undefined;
			const number = numbers?.[slot];
			if (number === undefined || number < 0) this.#closed = true;
			else if (this.#closesLate) taskControl().closeLater(sharersOf(this.table).worker(), number);
			else if (!this.#closed) {
				this.#number = number;
				this.#register();
			}
		});
	}

	#register(): void {
		if (!this.#owned) return;
		const made = process.env.NEARFAR_TRACE === "1" ? `; it was made here:\n${new Error().stack}` : "";
		const handle = new WeakRef(this);
		handlesOf(this.table).set(this.#number, handle);
		leaks.register(this, { table: this.table, number: this.#number, handle, made }, this);
	}

	/** The call that was made last has closed or replaced it; of one that is only collected that is known later. */
	#void(): void {
		this.#doomed++;
		this.#closed = true;
		afterSuccess(
			() => this.#forget(),
			() => {
				// What the batch has made itself is gone with it.
				if (--this.#doomed === 0 && this.#number > SLOT) this.#closed = false;
			},
		);
	}

	#forget(): void {
		this.#closed = true;
		this.#doomed = Number.POSITIVE_INFINITY; // no call that fails brings it back
		this.forgotten();
		if (this.#number <= SLOT || !this.#owned) return;
		leaks.unregister(this);
		const handles = handlesOf(this.table);
		if (handles.get(this.#number)?.deref() === this) handles.delete(this.#number);
	}
}

/** A task that has just died has closed it already. */
function closeIn(owner: AnyTask, number: number): void {
	try {
		owner.run(() => native().close(number));
	} catch (error) {
		if (!(error instanceof TaskGoneError)) throw error;
	}
}

function isOpen(fd: number): boolean {
	return withTarget(nearTask(), undefined, () => {
		try {
			native().getFlags(fd);
			return true;
		} catch {
			return false; // EBADF is the only way for F_GETFD to fail
		}
	});
}

function offset(position: number | bigint | undefined): number | undefined {
	if (position === undefined) return undefined;
	const number = typeof position === "bigint" ? Number(position) : position;
	return integer(number, "position", 0, Number.MAX_SAFE_INTEGER);
}
