import type { Buffer } from "node:buffer";
import { forget, listen } from "../addon/events.ts";
import { eventFdFlags } from "../addon/flags.generated.ts";
import { keepAlive } from "../addon/keep-alive.ts";
import { native } from "../addon/native.ts";
import { abortSignal, options as checkOptions, integer, optionalBoolean, outOfRange, wrongType } from "../arguments.ts";
import { ClosedError, SyscallError } from "../errors.ts";
import { type OpenFile, sharersOf } from "../identity.ts";
import { nearTask } from "../target/target.ts";
import { adoptDescriptor, FileDescriptor, numberOf, onForgotten } from "./descriptor.ts";

/** How to make an {@link EventFd}. */
export interface EventFdOptions {
	/** Where the counter begins, 0 to 4294967295. Default: 0. */
	initial?: bigint | number;
	/** A read takes one instead of everything. Default: false. */
	semaphore?: boolean;
	/** Reads and writes wait, and near they stop the event loop meanwhile. Default: false. */
	blocking?: boolean;
	/** It goes away at execve(2). Default: true. */
	closeOnExec?: boolean;
}

interface Reader {
	readonly resolve: (value: bigint) => void;
	readonly reject: (reason: unknown) => void;
	/** Listens to its signal no more. */
	readonly leave: () => void;
}

/** What is watched while somebody waits: a near copy of the descriptor. */
interface Watch {
	readonly id: number;
	readonly number: number;
}

// Of the open file: a copy in a task is as much of a semaphore.
const semaphores = new WeakMap<OpenFile, boolean>();

/**
 * A counter behind a descriptor: who adds to it wakes who waits to read it, in this process or another.
 *
 * A copy of it in a task, by `task.put`, is the same counter, and so is one that a program is given.
 *
 * @example Let a program that is under way say when it is ready
 * ```ts
 * using ready = EventFd.create();
 * await using task = await Task.clone();
 * const far = task.put(ready);
 * task.run(() => far.write(1n));
 * console.log(await ready.readAsync()); // 1n
 * ```
 * @see eventfd(2); no privilege
 */
export class EventFd extends FileDescriptor {
	#readers: Reader[] = [];
	#watch: Watch | undefined;

	/**
	 * Makes a counter.
	 *
	 * @returns A descriptor of the current task; close it or declare it with `using`.
	 * @throws `EMFILE` the table is full · `ENFILE` · `ENOMEM` · `TaskGoneError` · `TypeError`, `RangeError`
	 * @example
	 * ```ts
	 * using two = EventFd.create({ initial: 2, semaphore: true });
	 * console.log(two.read(), two.read()); // 1n 1n
	 * ```
	 * @see eventfd(2); no privilege
	 */
	static create(options?: EventFdOptions): EventFd {
		const { initial = 0, semaphore, blocking, closeOnExec } = checkOptions(options);
		const takesOne = optionalBoolean(semaphore, "options.semaphore") ?? false;
		const flags =
			(takesOne ? eventFdFlags.semaphore : 0) |
			((optionalBoolean(blocking, "options.blocking") ?? false) ? 0 : eventFdFlags.nonblock) |
			((optionalBoolean(closeOnExec, "options.closeOnExec") ?? true) ? eventFdFlags.cloexec : 0);
		const made = adoptDescriptor(
			native().eventfd(Number(counter(initial, "options.initial", 2n ** 32n - 1n)), flags),
			EventFd,
		);
		semaphores.set(made.file, takesOne);
		return made;
	}

	/** Whether a read takes one instead of everything; `undefined` for one that somebody else made. */
	get semaphore(): boolean | undefined {
		return semaphores.get(this.file);
	}

	/**
	 * Takes what has been added, and leaves 0; of a semaphore takes 1. With a `length` it is `FileDescriptor.read`.
	 *
	 * @returns 1 or more.
	 * @throws `EAGAIN` it is 0, and not blocking · `ClosedError`, `FDTableMismatchError` · `BatchError` in a batch ·
	 * `TaskGoneError`
	 */
	override read(): bigint;
	override read(length: number, options?: { position?: number | bigint }): Buffer;
	override read(length?: number, options?: { position?: number | bigint }): bigint | Buffer {
		return length === undefined ? native().eventfdRead(numberOf(this), true) : super.read(length, options);
	}

	/**
	 * The same as soon as there is something to take, whichever task is current.
	 *
	 * Who waits first is served first. Nothing is taken for nobody: who has given up leaves the counter as it is. It works
	 * on a blocking counter too, and never waits in the kernel. The event loop stays alive meanwhile.
	 *
	 * @param options - Aborting `signal` ends the wait and nothing else.
	 * @throws `ClosedError` it is closed, before or meanwhile · `EMFILE`: a near copy is made for the wait · `EOPNOTSUPP`
	 * before Linux 5.8 · `BatchError` · `TaskGoneError` · the signal's reason, usually an `AbortError`
	 */
	async readAsync(options?: { signal?: AbortSignal }): Promise<bigint> {
		const signal = abortSignal(checkOptions(options).signal);
		signal?.throwIfAborted();
		const number = this.fd;
		if (this.#readers.length === 0) {
			const value = sharersOf(this.table)
				.pickTask()
				.run(() => readNow(number));
			if (value !== undefined) return value;
			this.#begin();
		}
		return new Promise<bigint>((resolve, reject) => {
			const abort = () => {
				this.#readers = this.#readers.filter((other) => other !== reader);
				if (this.#readers.length === 0) this.#end();
				reject(signal?.reason);
			};
			const reader: Reader = {
				resolve,
				reject,
				leave: () => signal?.removeEventListener("abort", abort),
			};
			this.#readers.push(reader);
			signal?.addEventListener("abort", abort, { once: true });
		});
	}

	/**
	 * Adds to the counter. With bytes or text it is `FileDescriptor.write`.
	 *
	 * @param value - 0 to 18446744073709551614; so is the most that it can hold.
	 * @throws `EAGAIN` it would hold more, and it is not blocking · `EINVAL` 18446744073709551615 · `ClosedError`,
	 * `FDTableMismatchError`, `TaskGoneError` · `RangeError`
	 */
	override write(value: bigint | number): void;
	override write(data: Uint8Array | string, options?: { position?: number | bigint }): number;
	override write(
		data: bigint | number | Uint8Array | string,
		options?: { position?: number | bigint },
	): number | undefined {
		if (typeof data === "string" || data instanceof Uint8Array) return super.write(data, options);
		native().eventfdWrite(numberOf(this), counter(data, "value", 2n ** 64n - 1n));
		return undefined;
	}

	#begin(): void {
		const owner = sharersOf(this.table).pickTask();
		// A copy: the number that it has may be closed, and be another's, without our knowing.
		const number = (owner.isNear ? owner.run(() => this.dup()) : owner.get(this)).take();
		const id = native().watchReadable(number);
		this.#watch = { id, number };
		onForgotten(this, () =>
			this.#fail(new ClosedError("cannot read this eventfd any more: it was closed or given up while a read waited")),
		);
		listen(id, () => this.#serve());
		keepAlive(1);
	}

	#end(): void {
		if (!this.#watch) return;
		const { id } = this.#watch;
		this.#watch = undefined;
		forget(id);
		native().unwatchReadable(id);
		keepAlive(-1);
	}

	/** There was something to read: by now somebody else may have taken it. */
	#serve(): void {
		try {
			while (this.#watch && this.#readers.length > 0) {
				const { id, number } = this.#watch;
				const value = nearTask().run(() => readNow(number));
				if (value === undefined) {
					native().watchAgain(id);
					return;
				}
				const reader = this.#readers.shift();
				reader?.leave();
				reader?.resolve(value);
			}
			this.#end();
		} catch (error) {
			this.#fail(error);
		}
	}

	#fail(reason: unknown): void {
		const readers = this.#readers;
		this.#readers = [];
		this.#end();
		for (const { leave, reject } of readers) {
			leave();
			reject(reason);
		}
	}
}

/** Takes what is there; `undefined`: nothing. */
function readNow(number: number): bigint | undefined {
	try {
		return native().eventfdRead(number, false);
	} catch (error) {
		if (error instanceof SyscallError && error.code === "EAGAIN") return undefined;
		throw error;
	}
}

function counter(value: unknown, name: string, max: bigint): bigint {
	const number = typeof value === "number" ? BigInt(integer(value, name, 0, Number.MAX_SAFE_INTEGER)) : value;
	if (typeof number !== "bigint") throw wrongType(name, "a bigint or a number", value);
	if (number < 0n || number > max) throw outOfRange(name, `from 0 to ${max}`, value);
	return number;
}
