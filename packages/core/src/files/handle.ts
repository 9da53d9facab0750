import { native } from "../addon/native.ts";
import { environmentVariable } from "../environment.ts";
import { BatchError, ClosedError, FDTableMismatchError, TaskGoneError } from "../errors.ts";
import { type FDTable, sharersOf } from "../identity.ts";
import {
	type AnyTask,
	afterSuccess,
	type Batch,
	currentBatch,
	currentTask,
	nearTask,
	taskControl,
} from "../target/target.ts";

/** Slots count down from here. A slot stands for the number of a descriptor that a batch has still to make. */
const FIRST_SLOT = -0x4000_0000;

/** Open handles of each table, by number. A call that closes or replaces a number invalidates the handle that has it. */
const registered = new WeakMap<FDTable, Map<number, WeakRef<Handle>>>();

interface Leak {
	readonly table: FDTable;
	readonly number: number;
	readonly reference: WeakRef<Handle>;
	readonly origin: string;
}

const leaks = new FinalizationRegistry(({ table, number, reference, origin }: Leak) => {
	const handles = handlesOf(table);
	if (handles.get(number) !== reference) return; // another handle has the number by now
	handles.delete(number);
	const owner = sharersOf(table).pickTask();
	if (owner.state !== "live") return;
	taskControl().closeLater(owner, number);
	process.emitWarning(
		`descriptor ${number} of ${owner} was collected before it was closed${origin}`,
		"NearfarLeakWarning",
	);
});

/** The life of one number in one table: from the call that makes the descriptor to the call that closes it. */
export class Handle {
	readonly table: FDTable;
	#number: number;
	/** The batch that has still to make the descriptor. */
	#batch: Batch | undefined;
	readonly #owned: boolean;
	#closed = false;
	/** True when the descriptor was closed before the batch that makes it has run. */
	#closesWhenMade = false;
	/** How many calls will close or replace the number, in batches that are still running. */
	#pendingCloses = 0;
	/** Most handles have no listener. */
	#listeners: Set<() => void> | undefined;

	/** @param owned - Whether the handle closes its number. A borrowed number belongs to other code. */
	constructor(number: number, table: FDTable, owned: boolean) {
		this.#number = number;
		this.table = table;
		this.#owned = owned;
		if (number <= FIRST_SLOT) this.#waitForBatch(currentBatch());
		else this.#register();
	}

	get closed(): boolean {
		return this.#closed;
	}

	/** Whether the handle closes its number, and no later handle owns the same number. */
	get isRegistered(): boolean {
		return handlesOf(this.table).get(this.#number)?.deref() === this;
	}

	/** The number in the handle's own table. */
	get number(): number {
		this.assertOpen("read the number of");
		if (this.#batch) {
			throw new BatchError(
				"a descriptor that a batch makes has no number yet: read `fd` when the promise of the batch has resolved",
			);
		}
		return this.#number;
	}

	/** Returns the number, or the slot, to pass to a call of the current task. */
	numberForCall(): number {
		this.assertOpen("use");
		const task = currentTask();
		if (task.fdTable !== this.table) {
			throw new FDTableMismatchError(
				`cannot use ${this} in ${task}: it is one of the ${this.table}, and the task has the ${task.fdTable}; copy it with task.put() or task.get()`,
			);
		}
		if (this.#batch && this.#batch !== currentBatch()) {
			throw new BatchError(
				`cannot use ${this} outside that batch before it has run: use it when the promise of the batch has resolved`,
			);
		}
		return this.#number;
	}

	/** Runs `fn` in a task that has the table: in the current task if it can, else in another one. */
	runInOwner<T>(fn: () => T): T {
		const owner = this.#owner();
		return owner === currentTask() ? fn() : owner.run(fn);
	}

	/** Throws `ClosedError` for a closed handle; `action` completes "cannot … descriptor 5". */
	assertOpen(action: string): void {
		if (!this.#closed) return;
		const failed = this.#number <= FIRST_SLOT ? ", or the batch has failed" : "";
		throw new ClosedError(`cannot ${action} ${this}: it was closed or given up with take()${failed}`);
	}

	/** Closes the number. If a batch has still to make the descriptor, the number is closed when the batch has run. */
	close(): void {
		if (this.#closed) return;
		const owner = this.#owner();
		const batch = currentBatch();
		const number = this.#number;
		this.#closesWhenMade = this.#batch !== undefined && this.#batch !== batch;
		const closes = !this.#closesWhenMade && this.#owned && owner.state === "live";
		if (closes && batch && (this.#batch === batch || owner === currentTask())) {
			// Invalidated before the call is collected: close(2) frees the number even when it reports an error.
			this.invalidate();
			native().close(number);
		} else {
			this.forget();
			if (closes) closeIn(owner, number);
		}
	}

	/**
	 * Marks the handle closed, because a call closes or replaces the number. In a batch the mark is taken back unless the
	 * calls collected so far succeed.
	 */
	invalidate(): void {
		this.#pendingCloses++;
		this.#closed = true;
		afterSuccess(
			() => this.forget(),
			() => {
				// The batch did not reach that call. A descriptor that the batch itself has made is closed all the same.
				if (--this.#pendingCloses === 0 && this.#number > FIRST_SLOT) this.#closed = false;
			},
		);
	}

	/**
	 * Calls `listener` once, when the handle is closed or given up, or another call has closed or replaced the number.
	 *
	 * @returns A function that takes the listener away.
	 */
	whenForgotten(listener: () => void): () => void {
		this.#listeners ??= new Set();
		this.#listeners.add(listener);
		return () => this.#listeners?.delete(listener);
	}

	/** Gives the number up without closing it. */
	forget(): void {
		this.#closed = true;
		this.#pendingCloses = Number.POSITIVE_INFINITY; // a call that fails later does not open the handle again
		const listeners = this.#listeners;
		this.#listeners = undefined;
		for (const listener of listeners ?? []) listener();
		if (this.#number <= FIRST_SLOT || !this.#owned) return;
		leaks.unregister(this);
		const handles = handlesOf(this.table);
		if (handles.get(this.#number)?.deref() === this) handles.delete(this.#number);
	}

	/** Gives the number up to other code: the end of the Worker that made the descriptor does not close it either. */
	giveUp(): void {
		this.forget();
		if (this.#owned && this.table === nearTask().fdTable) native().disown(this.#number);
	}

	/** `"descriptor 5"`. */
	toString(): string {
		return this.#number > FIRST_SLOT ? `descriptor ${this.#number}` : "a descriptor that a batch makes";
	}

	/** Returns the task that works on the descriptor: the current task if it has the table, else another one that has. */
	#owner(): AnyTask {
		const current = currentTask();
		return current.fdTable === this.table ? current : sharersOf(this.table).pickTask();
	}

	#waitForBatch(batch: Batch | undefined): void {
		if (!batch) throw new BatchError("a call returned a descriptor without a number, and no batch is being collected");
		this.#batch = batch;
		const slot = FIRST_SLOT - this.#number;
		batch.whenEnded.push((numbers) => {
			this.#batch = undefined;
			const number = numbers?.[slot];
			if (number === undefined || number < 0) this.#closed = true;
			else if (this.#closesWhenMade) taskControl().closeLater(sharersOf(this.table).pickTask(), number);
			else if (!this.#closed) {
				this.#number = number;
				this.#register();
			}
		});
	}

	#register(): void {
		if (!this.#owned) return;
		const origin = environmentVariable("NEARFAR_TRACE") === "1" ? `; it was made here:\n${new Error().stack}` : "";
		const reference = new WeakRef(this);
		handlesOf(this.table).set(this.#number, reference);
		leaks.register(this, { table: this.table, number: this.#number, reference, origin }, this);
	}
}

/** Invalidates the handles of a range of numbers, because the call that was made last closes or replaces the numbers. */
export function invalidateHandles(table: FDTable, first: number, last: number): void {
	const handles = handlesOf(table);
	for (const [number, reference] of handles) {
		if (number < first || number > last) continue;
		const handle = reference.deref();
		if (handle) handle.invalidate();
		else handles.delete(number); // collected, and the registry of leaks has not been called yet
	}
}

/** True when an open object closes this number of a table. */
export function hasOwner(table: FDTable, number: number): boolean {
	return handlesOf(table).get(number)?.deref() !== undefined;
}

function handlesOf(table: FDTable): Map<number, WeakRef<Handle>> {
	const known = registered.get(table);
	if (known) return known;
	const handles = new Map<number, WeakRef<Handle>>();
	registered.set(table, handles);
	return handles;
}

/** Closes a number in a task. A task that has just died has closed all its descriptors already. */
function closeIn(task: AnyTask, number: number): void {
	try {
		task.run(() => native().close(number));
	} catch (error) {
		if (!(error instanceof TaskGoneError)) throw error;
	}
}
