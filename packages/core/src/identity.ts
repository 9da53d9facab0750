import { BatchError } from "./errors.ts";
import type { FileDescriptor } from "./files/descriptor.ts";
import type { Task } from "./task/task.ts";

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

class Namespace {
	readonly #creator: () => { readonly pid: number };

	/** Made by nearfar, not by its users; also for a task that has no pid yet. */
	constructor(creator: () => { readonly pid: number }) {
		this.#creator = creator;
	}

	/** Pid of the process for which it was made, as this process sees it. */
	get creatorPid(): number {
		return this.#creator().pid;
	}
}

/** What a task may share with those that it clones. */
export class Shareable extends Namespace {
	/** The task for which it was made, or since that has another one, its heir. */
	#holder: Task;
	#others: WeakRef<Task>[] = [];

	/** Made by nearfar, not by its users. */
	constructor(creator: Task) {
		super(() => creator);
		this.#holder = creator;
	}

	/** Another task has it too. */
	static join(shared: Shareable, task: Task): void {
		// Who lives no more is never asked again: of a thousand that came and went none is left.
		const living = shared.#others.filter((other) => other.deref()?.state === "live");
		shared.#others = [...living, new WeakRef(task)];
	}

	/** A task has another one from now on; `heir` is one that still has this. */
	static leave(shared: Shareable, task: Task, heir: Task): void {
		shared.#others = shared.#others.filter((other) => other.deref() !== task);
		if (shared.#holder === task) shared.#holder = heir;
	}

	/** A task that can be asked to work on it: one that lives, where there is one. */
	static owner(shared: Shareable): Task {
		return Shareable.other(shared) ?? shared.#holder;
	}

	/** A task that has it and lives, but is not `task`. */
	static other(shared: Shareable, task?: Task): Task | undefined {
		return Shareable.others(shared, task)[0];
	}

	/** All of these. */
	static others(shared: Shareable, task?: Task): Task[] {
		const all = new Set([shared.#holder, ...shared.#others.map((other) => other.deref())]);
		return [...all].filter((other) => other?.state === "live" && other !== task) as Task[];
	}
}

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
export class FDTable extends Shareable {
	/** Open handles by number: what closes or replaces a number has to know whose it was. */
	readonly #handles = new Map<number, WeakRef<FileDescriptor>>();
	/** How many tasks are being cloned that will have it: under which number their channels are in it is not known yet. */
	#expected = 0;
	/** Whose batches, which have not ended, close or replace descriptors by number. */
	readonly #closing: Task[] = [];

	/** `"descriptors of 4711"`. */
	override toString(): string {
		return `descriptors of ${this.creatorPid}`;
	}

	/** The open handles of a table, by number. */
	static handles(table: FDTable): Map<number, WeakRef<FileDescriptor>> {
		return table.#handles;
	}

	/** A task is being cloned that will have it, until what is returned is called. */
	static expect(table: FDTable): () => void {
		table.#expected++;
		return () => {
			table.#expected--;
		};
	}

	/** A batch of a task closes or replaces descriptors by number, until what is returned is called. */
	static closes(table: FDTable, task: Task): () => void {
		table.#closing.push(task);
		return () => void table.#closing.splice(table.#closing.indexOf(task), 1);
	}

	/** Refuses a channel that the batch of another task, which does not know of it, could close. */
	static assertNobodyCloses(table: FDTable, creator: Task): void {
		const other = table.#closing.find((task) => task !== creator);
		if (!other) return;
		throw new BatchError(`a batch of ${other} closes ${table} by number: clone what will have them when it has ended`);
	}

	/** Refuses what could close the channel of a task that is being cloned. */
	static assertNobodyExpected(table: FDTable): void {
		if (table.#expected === 0) return;
		throw new BatchError(
			`a task that will have the ${table} too is still being cloned, and needs one of them: do it when clone has resolved`,
		);
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
export class AddressSpace extends Shareable {
	/** `"memory of 4711"`. */
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
export class PidNamespace extends Namespace {
	/** `"pid namespace of 4711"`. */
	override toString(): string {
		return `pid namespace of ${this.creatorPid}`;
	}
}
