import type { Buffer } from "node:buffer";
import { abortable, throwIfAborted } from "../abortable.ts";
import { forget, listen } from "../addon/events.ts";
import { eventFdFlags } from "../addon/flags.generated.ts";
import { keepAlive } from "../addon/keep-alive.ts";
import { native } from "../addon/native.ts";
import { abortSignal, options as checkOptions, integer, optionalBoolean, outOfRange, wrongType } from "../arguments.ts";
import { ClosedError } from "../errors.ts";
import { type OpenFile, sharersOf } from "../identity.ts";
import { SyscallError } from "../syscall-error.ts";
import { nearTask } from "../target/target.ts";
import { adoptDescriptor, FileDescriptor, numberOf, whenForgotten } from "./descriptor.ts";

/** How to make an {@link EventFd}. */
export interface EventFdOptions {
	/** The initial value of the counter, 0 to 4294967295. Default: 0. */
	initial?: bigint | number;
	/** Whether a read takes 1 from the counter instead of its whole value. Default: false. */
	semaphore?: boolean;
	/** Whether reads and writes wait. Near, a call that waits blocks the event loop. Default: false. */
	blocking?: boolean;
	/** Whether execve(2) closes the descriptor. Default: true. */
	closeOnExec?: boolean;
}

/** A call of `readAsync` that waits. */
interface Reader {
	readonly resolve: (value: bigint) => void;
	readonly reject: (reason: unknown) => void;
}

/** A near copy of the descriptor, which the reactor watches while calls of `readAsync` wait. */
interface Watch {
	readonly id: number;
	readonly number: number;
	/** Takes the listener for the end of the original away. */
	readonly ignoreEnd: () => void;
}

// By open file, because a copy of the descriptor in a task reads the same counter in the same way.
const semaphores = new WeakMap<OpenFile, boolean>();

/**
 * A counter behind a descriptor, for waking another process or being woken by one.
 *
 * A process that adds to the counter wakes the processes that wait to read it. Copies of the descriptor, in a task by
 * `task.put` or in a program that inherits one, are the same counter.
 *
 * @example Let a program that is running say when it is ready
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
	 * @param options - The initial value, and how reads and writes behave. Default: 0, a whole read, nonblocking.
	 * @returns A descriptor of the current task. The caller closes it, or declares it with `using`.
	 * @throws `EMFILE` The task has reached its limit of descriptors.
	 * @throws `ENFILE` The machine has reached its limit of open files.
	 * @throws `ENOMEM` The kernel has no memory for the counter.
	 * @throws `ERR_NEARFAR_TASK_GONE` The current task has executed a program, exited or died.
	 * @throws `TypeError` An option has the wrong type.
	 * @throws `RangeError` `initial` is out of its range.
	 * @example
	 * ```ts
	 * using two = EventFd.create({ initial: 2, semaphore: true });
	 * console.log(two.read(), two.read()); // 1n 1n
	 * ```
	 * @see eventfd(2); no privilege
	 */
	static create(options?: EventFdOptions): EventFd {
		const {
			initial = 0,
			semaphore,
			blocking,
			closeOnExec,
		} = checkOptions(options, ["initial", "semaphore", "blocking", "closeOnExec"]);
		const takesOne = optionalBoolean(semaphore, "options.semaphore") ?? false;
		const flags =
			(takesOne ? eventFdFlags.semaphore : 0) |
			((optionalBoolean(blocking, "options.blocking") ?? false) ? 0 : eventFdFlags.nonblock) |
			((optionalBoolean(closeOnExec, "options.closeOnExec") ?? true) ? eventFdFlags.cloexec : 0);
		const made = adoptDescriptor(
			native().eventfd(Number(toCounter(initial, "options.initial", 2n ** 32n - 1n)), flags),
			EventFd,
		);
		semaphores.set(made.file, takesOne);
		return made;
	}

	/** Whether a read takes 1 instead of the whole value. `undefined`: `EventFd.create` did not make the counter. */
	get semaphore(): boolean | undefined {
		return semaphores.get(this.file);
	}

	/**
	 * Reads the counter and sets it to 0. From a semaphore, takes 1.
	 *
	 * @returns The value taken, 1 or more.
	 * @throws `EAGAIN` The counter is 0, and the descriptor is nonblocking.
	 * @throws `ERR_NEARFAR_CLOSED` The descriptor is closed.
	 * @throws `ERR_NEARFAR_FD_TABLE_MISMATCH` The descriptor belongs to another table than the current task's.
	 * @throws `ERR_NEARFAR_BATCH` A batch is being collected, and a read returns a value.
	 * @throws `ERR_NEARFAR_TASK_GONE` The current task has executed a program, exited or died.
	 * @example
	 * ```ts
	 * using counter = EventFd.create({ initial: 2 });
	 * console.log(counter.read()); // 2n
	 * ```
	 * @see eventfd(2); no privilege
	 */
	override read(): bigint;
	/**
	 * Reads bytes, as {@link FileDescriptor.read} does: eight of them are a value.
	 *
	 * @param length - The most bytes to read, 8 to 2147483647.
	 * @param options - As for {@link FileDescriptor.read}.
	 * @returns The bytes of the value, in the byte order of the CPU.
	 * @throws `EINVAL` `length` is below 8.
	 * @throws `TypeError` An argument has the wrong type.
	 * @throws `RangeError` A number is out of its range.
	 */
	override read(length: number, options?: { position?: number | bigint }): Buffer;
	override read(length?: number, options?: { position?: number | bigint }): bigint | Buffer {
		return length === undefined ? native().eventfdRead(numberOf(this), true) : super.read(length, options);
	}

	/**
	 * Resolves when the counter has a value, which is then taken as {@link EventFd.read} takes it, whichever task is current.
	 *
	 * Calls that wait are served in their order. An aborted call takes nothing. The call works on a blocking counter, too,
	 * and never waits in the kernel. The event loop stays alive until the promise is resolved or rejected.
	 *
	 * @param options - `signal`: aborts the wait. The counter stays as it is.
	 * @returns The value taken, 1 or more.
	 * @throws `ERR_NEARFAR_CLOSED` The descriptor is closed, or is closed while the call waits.
	 * @throws `EMFILE` Node has no descriptor left for the near copy that the wait needs.
	 * @throws `EOPNOTSUPP` The kernel is older than Linux 5.8.
	 * @throws `ERR_NEARFAR_BATCH` The batch that makes the descriptor has not run yet.
	 * @throws `ERR_NEARFAR_TASK_GONE` The task that has the counter has executed a program, exited or died.
	 * @throws `ABORT_ERR` The signal was aborted. `error.cause` is the reason of the signal.
	 * @throws `TypeError` `signal` is not an AbortSignal.
	 * @example
	 * ```ts
	 * using counter = EventFd.create();
	 * setTimeout(() => counter.write(3n), 10);
	 * console.log(await counter.readAsync()); // 3n
	 * ```
	 * @see eventfd(2), preadv2(2) RWF_NOWAIT, Linux 5.8; no privilege
	 */
	async readAsync(options?: { signal?: AbortSignal }): Promise<bigint> {
		const signal = abortSignal(checkOptions(options, ["signal"]).signal);
		throwIfAborted(signal);
		const number = this.fd;
		if (this.#readers.length === 0) {
			const value = sharersOf(this.table)
				.pickTask()
				.run(() => readWithoutWaiting(number));
			if (value !== undefined) return value;
			this.#startWatching();
		}
		return abortable<bigint>(signal, (resolve, reject) => {
			const reader = { resolve, reject };
			this.#readers.push(reader);
			return () => {
				this.#readers = this.#readers.filter((other) => other !== reader);
				if (this.#readers.length === 0) this.#stopWatching();
			};
		});
	}

	/**
	 * Adds a value to the counter.
	 *
	 * @param value - The number to add, 0 to 18446744073709551614, which is also the largest value of the counter.
	 * @throws `EAGAIN` The counter would exceed its largest value, and the descriptor is nonblocking.
	 * @throws `EINVAL` `value` is 18446744073709551615.
	 * @throws `ERR_NEARFAR_CLOSED` The descriptor is closed.
	 * @throws `ERR_NEARFAR_FD_TABLE_MISMATCH` The descriptor belongs to another table than the current task's.
	 * @throws `ERR_NEARFAR_TASK_GONE` The current task has executed a program, exited or died.
	 * @throws `TypeError` An argument has the wrong type.
	 * @throws `RangeError` `value` is out of its range.
	 * @example
	 * ```ts
	 * using counter = EventFd.create({ initial: 1 });
	 * counter.write(2n);
	 * console.log(counter.read()); // 3n
	 * ```
	 * @see eventfd(2); no privilege
	 */
	override write(value: bigint | number): void;
	/**
	 * Writes bytes, as {@link FileDescriptor.write} does: eight of them are the value to add.
	 *
	 * @param data - Eight bytes in the byte order of the CPU, or text that is written as UTF-8.
	 * @param options - As for {@link FileDescriptor.write}.
	 * @returns The number of bytes written, 8.
	 * @throws `EINVAL` There are fewer than eight bytes.
	 * @throws `TypeError` An argument has the wrong type.
	 */
	override write(data: Uint8Array | string, options?: { position?: number | bigint }): number;
	override write(
		data: bigint | number | Uint8Array | string,
		options?: { position?: number | bigint },
	): number | undefined {
		if (typeof data === "string" || data instanceof Uint8Array) return super.write(data, options);
		native().eventfdWrite(numberOf(this), toCounter(data, "value", 2n ** 64n - 1n));
		return undefined;
	}

	#startWatching(): void {
		const owner = sharersOf(this.table).pickTask();
		// The reactor watches a copy. Other code could close the original by its number, and the number could then belong to
		// another file while the reactor still watches. A program could inherit 0, 1 or 2.
		const copy: FileDescriptor = owner.isNear ? owner.run(() => this.dup({ min: 3 })) : owner.get(this);
		const number = copy.fd;
		let id: number;
		try {
			id = native().watchReady(number, false); // takes the number over, also when it fails
		} finally {
			copy.take();
		}
		const ignoreEnd = whenForgotten(this, () =>
			this.#rejectReaders(
				new ClosedError("cannot read this eventfd any more: it was closed or given up while a read waited"),
			),
		);
		this.#watch = { id, number, ignoreEnd };
		listen(id, () => this.#serveReaders());
		keepAlive(1);
	}

	#stopWatching(): void {
		if (!this.#watch) return;
		const { id, ignoreEnd } = this.#watch;
		this.#watch = undefined;
		ignoreEnd();
		forget(id);
		native().unwatchReady(id);
		keepAlive(-1);
	}

	/** Called when the counter had a value. Another process may have taken the value by now. */
	#serveReaders(): void {
		try {
			while (this.#watch && this.#readers.length > 0) {
				const { id, number } = this.#watch;
				const value = nearTask().run(() => readWithoutWaiting(number));
				if (value === undefined) {
					native().watchAgain(id);
					return;
				}
				this.#readers.shift()?.resolve(value);
			}
			this.#stopWatching();
		} catch (error) {
			this.#rejectReaders(error);
		}
	}

	#rejectReaders(reason: unknown): void {
		const readers = this.#readers;
		this.#readers = [];
		this.#stopWatching();
		for (const { reject } of readers) reject(reason);
	}
}

/** Reads the counter of a near descriptor without waiting. Returns `undefined` if the counter is 0. */
function readWithoutWaiting(number: number): bigint | undefined {
	try {
		return native().eventfdRead(number, false);
	} catch (error) {
		if (error instanceof SyscallError && error.code === "EAGAIN") return undefined;
		throw error;
	}
}

function toCounter(value: unknown, name: string, max: bigint): bigint {
	const number = typeof value === "number" ? BigInt(integer(value, name, 0, Number.MAX_SAFE_INTEGER)) : value;
	if (typeof number !== "bigint") throw wrongType(name, "a bigint or a number", value);
	if (number < 0n || number > max) throw outOfRange(name, `a whole number from 0 to ${max}`, value);
	return number;
}
