import { BatchError } from "./errors.ts";
import { Sharers } from "./sharers.ts";
import type { AnyTask } from "./target/target.ts";

/**
 * Identity of an open file description: `dup` and transfer keep it. Compared with `===`.
 *
 * @example
 * ```ts
 * using fd = openat2("/etc/hostname");
 * using copy = fd.dup();
 * console.log(copy.file === fd.file); // true: they share position and flags
 * ```
 */
export class OpenFile {}

/** An identity that was made for a process. */
class Token {
	readonly #creator: () => { readonly pid: number };

	/** @param creator - Returns the process, whose pid may become known later. */
	constructor(creator: () => { readonly pid: number }) {
		this.#creator = creator;
	}

	/** Pid of the process for which it was made, as this process sees it. */
	get creatorPid(): number {
		return this.#creator().pid;
	}
}

/** What is known of a table of descriptors. */
interface TableState {
	readonly sharers: Sharers;
	/** How many tasks are being cloned that will have the table. The numbers of their channels are not known yet. */
	expectedSharers: number;
	/** The tasks whose batches, which have not ended, close or replace descriptors by number. */
	readonly closingByNumber: AnyTask[];
}

let tableState: (table: FDTable) => TableState;
let sharersOfMemory: (space: AddressSpace) => Sharers;

/**
 * Identity of a table of descriptors. Compared with `===`.
 *
 * @example
 * ```ts
 * await using task = await Task.clone();
 * await using other = await task.clone({ share: ["files"] });
 * console.log(other.fdTable === task.fdTable, `${task.fdTable}`); // true descriptors of 4711
 * ```
 */
export class FDTable extends Token {
	readonly #state: TableState;

	static {
		tableState = (table) => table.#state;
	}

	/** @param creator - The task for which nearfar makes it. */
	constructor(creator: AnyTask) {
		super(() => creator);
		this.#state = { sharers: new Sharers(creator), expectedSharers: 0, closingByNumber: [] };
	}

	/** Returns `"descriptors of 4711"`. */
	override toString(): string {
		return `descriptors of ${this.creatorPid}`;
	}
}

/**
 * Identity of an address space. Compared with `===`.
 *
 * @example
 * ```ts
 * await using task = await Task.clone();
 * await using other = await task.clone({ share: ["vm"] });
 * console.log(other.addressSpace === task.addressSpace); // true
 * ```
 */
export class AddressSpace extends Token {
	readonly #sharers: Sharers;

	static {
		sharersOfMemory = (space) => space.#sharers;
	}

	/** @param creator - The task for which nearfar makes it. */
	constructor(creator: AnyTask) {
		super(() => creator);
		this.#sharers = new Sharers(creator);
	}

	/** Returns `"memory of 4711"`. */
	override toString(): string {
		return `memory of ${this.creatorPid}`;
	}
}

/**
 * Identity of a pid namespace. Compared with `===`.
 *
 * @example
 * ```ts
 * await using task = await Task.clone({ namespaces: ["user", "pid"] });
 * console.log(task.pidNamespace === Task.near.pidNamespace); // false
 * ```
 */
export class PidNamespace extends Token {
	/** Returns `"pid namespace of 4711"`. */
	override toString(): string {
		return `pid namespace of ${this.creatorPid}`;
	}
}

/** Returns the tasks that have a table of descriptors, or an address space. */
export function sharersOf(shared: FDTable | AddressSpace): Sharers {
	return shared instanceof FDTable ? tableState(shared).sharers : sharersOfMemory(shared);
}

/** Notes that a task is being cloned that will have a table, until {@link endSharedClone}. */
export function beginSharedClone(table: FDTable): void {
	tableState(table).expectedSharers++;
}

/** Notes that a clone which {@link beginSharedClone} has announced has succeeded or failed. */
export function endSharedClone(table: FDTable): void {
	tableState(table).expectedSharers--;
}

/** Refuses a call that could close the channel of a task that is being cloned. */
export function refuseDuringSharedClone(table: FDTable): void {
	if (tableState(table).expectedSharers === 0) return;
	throw new BatchError(
		`a task that will have the ${table} too is still being cloned, and needs one of them: wait until clone has resolved`,
	);
}

/** Notes that a batch of a task closes or replaces descriptors of a table by number, until {@link endClosing}. */
export function beginClosing(table: FDTable, task: AnyTask): void {
	tableState(table).closingByNumber.push(task);
}

/** Notes that a batch which {@link beginClosing} has announced has ended. */
export function endClosing(table: FDTable, task: AnyTask): void {
	const { closingByNumber } = tableState(table);
	closingByNumber.splice(closingByNumber.indexOf(task), 1);
}

/**
 * Refuses to add a channel to a table while the batch of a task other than `creator` closes descriptors by number: that
 * batch does not know of the channel and could close it.
 */
export function refuseDuringClosing(table: FDTable, creator: AnyTask): void {
	const other = tableState(table).closingByNumber.find((task) => task !== creator);
	if (!other) return;
	throw new BatchError(`a batch of ${other} closes ${table} by number: clone after that batch has ended`);
}
