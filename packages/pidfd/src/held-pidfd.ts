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

const ABOVE_STDIO = 3; // a program could inherit a lower number
const P_PIDFD = 3;
const [UNTIL_ENDED, UNTIL_REAPED] = [0, -1]; // for `native().watchPidfd`
const RETURN_AT_ONCE = waitFlags.nohang | waitFlags.all;

/**
 * The number of a `PidFd`, held open for waits. A wait goes on when the caller closes the `PidFd`: the number is closed
 * when the last wait has ended.
 */
export class HeldPidfd {
	/** The process as a child of nearfar, which keeps the death for everyone. */
	child: ChildProcess | undefined;
	/** The process as a child of `node:child_process`, whose event loop reaps it. */
	nodeChild: NodeChild | undefined;
	/** How the process ended, once a wait here has seen it. */
	death: ChildState | undefined;
	readonly #table: FDTable;
	readonly #original: number;
	readonly #borrowed: boolean;
	#number: number; // the original, or a copy of it
	#closesNumber = false; // whether `#number` is closed here when the last hold ends
	#holds = 0;
	#nearCopy: FileDescriptor | undefined;
	#watch: { id: number; reaped: boolean } | undefined;
	readonly #listeners = new Set<() => void>();

	/**
	 * @param number - The number in `table`.
	 * @param borrowed - `true` when other code may close the number without telling the `PidFd`: waits then use a copy.
	 */
	constructor(number: number, table: FDTable, borrowed: boolean) {
		this.#original = number;
		this.#number = number;
		this.#table = table;
		this.#borrowed = borrowed;
	}

	/**
	 * The task that waits: the current task if the descriptor is in its table, otherwise another task with that table.
	 */
	get task(): AnyTask {
		if (this.#table === Task.near.fdTable) return Task.near; // not a thread of it, which may end before the wait
		const current = currentTask();
		return current.fdTable === this.#table ? current : sharersOf(this.#table).pickTask();
	}

	/** Keeps the number open until {@link release} has been called as often. */
	hold(): void {
		this.#holds++;
		try {
			if (this.#holds === 1 && this.#borrowed) this.switchToCopy();
		} catch (error) {
			this.#holds--;
			throw error;
		}
	}

	/** Ends a {@link hold}. The last one closes the copies, and the number if it was taken over. */
	release(): void {
		if (--this.#holds > 0) return;
		this.#nearCopy?.close();
		this.#nearCopy = undefined;
		if (this.#closesNumber) this.#close();
	}

	/**
	 * Takes the number over from a `PidFd` that is being closed, if a wait still needs it.
	 *
	 * @returns `true`: the number is closed here. `false`: the `PidFd` has to close it.
	 */
	takeOver(): boolean {
		if (this.#holds === 0 || this.#closesNumber) return false;
		this.#closesNumber = true;
		return true;
	}

	/** Gives the waits a copy, because other code may close the original number from now on. */
	switchToCopy(): void {
		if (this.#holds === 0 || this.#closesNumber) return;
		// The copy comes first: if the table is full, nothing has changed.
		const copy = this.task.run(() => native().dup(this.#number, ABOVE_STDIO, true));
		const watch = this.#watch;
		if (watch && !this.#nearCopy) this.#unwatch();
		this.#number = copy;
		this.#closesNumber = true;
		if (watch && !this.#watch) this.#watchFor(watch.reaped);
	}

	/**
	 * Returns the number of the pidfd in this process, valid while it is held. A pidfd of a task is copied here first.
	 */
	nearNumber(): number {
		if (this.task.isNear) return this.#number;
		this.#nearCopy ??= Task.near.run(() => FileDescriptor.from(native().get(taskId(this.task), this.#number)));
		return this.#nearCopy.fd;
	}

	/** Opens a pidfd of this process without `O_NONBLOCK`, so that waitid(2) waits with it. The caller closes it. */
	openBlocking(): FileDescriptor {
		const number = this.nearNumber();
		return Task.near.run(() => {
			if ((native().getStatus(number) & openFlags.nonblock) === 0)
				return FileDescriptor.from(native().dup(number, ABOVE_STDIO, true));
			// `O_NONBLOCK` belongs to the open file and so to all copies: a new file is opened by pid. The process is an
			// unreaped child, so the pid is still its own.
			return FileDescriptor.from(native().pidfdOpen(identifyProcess(number)?.pid ?? -1, 0));
		});
	}

	/**
	 * Calls waitid(2), without blocking, in the task that waits. If that task is not the parent, the other tasks with the
	 * same descriptor table are tried.
	 *
	 * @param bits - Flags of waitid(2).
	 * @returns The state, or `undefined` if there is none yet.
	 */
	waitid(bits: number): ChildState | undefined {
		const wait = () => native().waitid(P_PIDFD, this.#number, bits | RETURN_AT_ONCE);
		const { task } = this;
		let firstError: unknown;
		for (const candidate of [task, ...(task.isNear ? [] : sharersOf(this.#table).livingTasks(task))]) {
			try {
				const numbers = candidate === currentTask() ? wait() : candidate.run(wait);
				return numbers.length === 0 ? undefined : toState(numbers, 0);
			} catch (error) {
				if (!isNoSuchChild(error)) throw error;
				firstError ??= error;
			}
		}
		throw firstError;
	}

	/**
	 * Calls `listener` once when the process has ended. The pidfd has to be held until then.
	 *
	 * @param reaped - `true`: not before the process has been reaped.
	 */
	whenEnded(listener: () => void, reaped: boolean): void {
		// All listeners share one watch. A listener for the reaping that is woken by the death registers again.
		if (this.#watch?.reaped && !reaped) this.#unwatch();
		if (!this.#watch) this.#watchFor(reaped);
		this.#listeners.add(listener);
		keepAlive(1);
	}

	/** Removes a listener that {@link whenEnded} has registered and that was not called yet. */
	cancelWhenEnded(listener: () => void): void {
		if (!this.#listeners.delete(listener)) return;
		keepAlive(-1);
		if (this.#listeners.size === 0) this.#unwatch();
	}

	#watchFor(reaped: boolean): void {
		const id = native().watchPidfd(this.nearNumber(), reaped ? UNTIL_REAPED : UNTIL_ENDED);
		this.#watch = { id, reaped };
		listen(id, () => {
			this.#unwatch();
			const listeners = [...this.#listeners];
			this.#listeners.clear();
			for (const listener of listeners) {
				keepAlive(-1);
				listener();
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
		this.#closesNumber = false;
		try {
			this.task.run(() => native().close(number));
		} catch (error) {
			if (!(error instanceof TaskGoneError)) throw error; // the number was closed with the task
		}
	}
}

/** Returns whether waitid(2) failed because the process is no child of the task, or the task is gone. */
export function isNoSuchChild(error: unknown): boolean {
	return error instanceof TaskGoneError || (error instanceof SyscallError && error.code === "ECHILD");
}
