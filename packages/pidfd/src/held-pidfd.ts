import {
	type ChildProcess,
	type ChildState,
	type FDTable,
	FileDescriptor,
	SyscallError,
	Task,
	TaskGoneError,
} from "@nearfar/core";
import {
	type AnyTask,
	currentTask,
	forget,
	keepAlive,
	listen,
	native,
	openFlags,
	sharersOf,
	taskId,
	toState,
	waitFlags,
} from "@nearfar/core/internal";
import { identifyProcess } from "./identify.ts";
import type { NodeChild } from "./node-child.ts";

const P_PIDFD = 3;
// What the addon watches for, but for options of waitid(2).
const [ENDED, REAPED] = [0, -1];
const AT_ONCE = waitFlags.nohang | waitFlags.all;

/**
 * The process of one descriptor, for those who wait for it. What they wait with stays open until the last of them is
 * done, though the descriptor be closed meanwhile.
 */
export class HeldPidfd {
	/** Ours: its death is remembered there. */
	child: ChildProcess | undefined;
	/** Node's: its loop reaps it. */
	nodeChild: NodeChild | undefined;
	/** How it ended, once that was seen here. */
	death: ChildState | undefined;
	readonly #table: FDTable;
	readonly #original: number;
	readonly #borrowed: boolean;
	#number: number;
	#ours = false; // the descriptor was closed, and the number is left to be closed here
	#holds = 0;
	#copy: FileDescriptor | undefined;
	#watch: { id: number; reaped: boolean } | undefined;
	readonly #ended = new Set<() => void>();

	/** `borrowed`: whoever closes the descriptor does not say so. */
	constructor(number: number, table: FDTable, borrowed: boolean) {
		this.#original = number;
		this.#number = number;
		this.#table = table;
		this.#borrowed = borrowed;
	}

	/** The task that waits: one that has the descriptor, by preference the current one. */
	get task(): AnyTask {
		const current = currentTask();
		return current.fdTable === this.#table ? current : sharersOf(this.#table).worker();
	}

	/** Keeps a number open until there are as many {@link release}s. */
	hold(): void {
		this.#holds++;
		try {
			if (this.#holds === 1 && this.#borrowed) this.part();
		} catch (error) {
			this.#holds--;
			throw error;
		}
	}

	/** Ends a {@link hold}. */
	release(): void {
		if (--this.#holds > 0) return;
		this.#copy?.close();
		this.#copy = undefined;
		if (this.#ours) this.#close();
	}

	/** The descriptor is closed: `true` where its number is still needed, and is closed here. */
	inherit(): boolean {
		if (this.#holds === 0 || this.#ours) return false;
		this.#ours = true;
		return true;
	}

	/** Somebody else closes the number from now on: what waits gets another one. */
	part(): void {
		if (this.#holds === 0 || this.#ours) return;
		const copy = this.task.run(() => native().dup(this.#number, 0, true)); // first: there may be no room for it
		const watch = this.#watch;
		if (watch && !this.#copy) this.#unwatch();
		this.#number = copy;
		this.#ours = true;
		if (watch && !this.#watch) this.#watchFor(watch.reaped);
	}

	/** The number in this process's table; held. */
	near(): number {
		if (this.task.isNear) return this.#number;
		this.#copy ??= Task.near.run(() => FileDescriptor.from(native().get(taskId(this.task), this.#number)));
		return this.#copy.fd;
	}

	/** A number of this process's table that waitid(2) waits with; `close` it. */
	blocking(): FileDescriptor {
		const number = this.near();
		return Task.near.run(() => {
			if ((native().getStatus(number) & openFlags.nonblock) === 0)
				return FileDescriptor.from(native().dup(number, 0, true));
			// The flag is that of all copies: another one is opened, of a child that nobody reaps meanwhile.
			return FileDescriptor.from(native().pidfdOpen(identifyProcess(number)?.pid ?? -1, 0));
		});
	}

	/** waitid(2), at once, in the task that waits; where others have the descriptor too, in the one whose child it is. */
	waitid(bits: number): ChildState | undefined {
		const wait = () => native().waitid(P_PIDFD, this.#number, bits | AT_ONCE);
		const { task } = this;
		let refused: unknown;
		for (const one of [task, ...(task.isNear ? [] : sharersOf(this.#table).living(task))]) {
			try {
				const seen = one === currentTask() ? wait() : one.run(wait);
				return seen.length === 0 ? undefined : toState(seen, 0);
			} catch (error) {
				if (!isGone(error)) throw error;
				refused ??= error; // it may be the child of another one
			}
		}
		throw refused;
	}

	/** Calls `tell` once, when the process has ended, or, with `reaped`, when nothing is left of it. Held. */
	whenEnded(tell: () => void, reaped: boolean): void {
		// One watch for both: who is told of a zombie, and wants more, asks again.
		if (this.#watch?.reaped && !reaped) this.#unwatch();
		if (!this.#watch) this.#watchFor(reaped);
		this.#ended.add(tell);
		keepAlive(1);
	}

	/** Ends a {@link whenEnded} that has not been told. */
	forgetEnd(tell: () => void): void {
		if (!this.#ended.delete(tell)) return;
		keepAlive(-1);
		if (this.#ended.size === 0) this.#unwatch();
	}

	#watchFor(reaped: boolean): void {
		const id = native().watchPidfd(this.near(), reaped ? REAPED : ENDED);
		this.#watch = { id, reaped };
		listen(id, () => {
			this.#unwatch();
			const told = [...this.#ended];
			this.#ended.clear();
			for (const tell of told) {
				keepAlive(-1);
				tell();
			}
		});
	}

	#unwatch(): void {
		if (!this.#watch) return;
		forget(this.#watch.id);
		native().unwatch(this.#watch.id);
		this.#watch = undefined;
	}

	#close(): void {
		const number = this.#number;
		this.#number = this.#original;
		this.#ours = false;
		try {
			this.task.run(() => native().close(number));
		} catch (error) {
			if (!(error instanceof TaskGoneError)) throw error; // closed along with the task
		}
	}
}

/** Whether there is no such child, or nobody whose child it could be. */
export function isGone(error: unknown): boolean {
	return error instanceof TaskGoneError || (error instanceof SyscallError && error.code === "ECHILD");
}
