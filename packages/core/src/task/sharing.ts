import { cloneFlags } from "../addon/flags.generated.ts";
import { native } from "../addon/native.ts";
import { TaskGoneError } from "../errors.ts";
import { AddressSpace, FDTable, Shareable } from "../identity.ts";
import type { Task } from "./task.ts";

/**
 * What a task leaves behind, where others have its memory or its descriptors too. Apart from {@link Sharing}: whoever waits
 * for the task's end keeps this, and must not keep the task.
 */
class Legacy {
	memory: { space: AddressSpace; block: number } | undefined;
	/** The number of its channel in a table that others have. */
	files: { table: FDTable; channel: number } | undefined;

	/** Its memory is another now, or none: whoever still has this one gives the block with its stack back, once. */
	leaveMemory(): void {
		if (this.memory) Shareable.other(this.memory.space)?.unmapLater(this.memory.block);
		this.memory = undefined;
	}

	/** The task has ended, in whatever way. */
	died(): void {
		this.leaveMemory();
		if (this.files) Shareable.other(this.files.table)?.closeLater(this.files.channel);
		this.files = undefined;
	}
}

/** What a task has that others may have too. */
export class Sharing {
	/** What is left to do at its end. */
	readonly legacy = new Legacy();
	readonly #task: Task;
	#fdTable: FDTable | undefined;
	#addressSpace: AddressSpace | undefined;

	/** What is not somebody else's is the task's own. */
	constructor(task: Task) {
		this.#task = task;
	}

	/** Identity of its descriptor table. */
	get fdTable(): FDTable {
		this.#fdTable ??= new FDTable(this.#task);
		return this.#fdTable;
	}

	/** Identity of its memory. */
	get addressSpace(): AddressSpace {
		this.#addressSpace ??= new AddressSpace(this.#task);
		return this.#addressSpace;
	}

	/** It has the memory of the task that clones it, and in that a block of its own. */
	shareMemory(creator: Sharing, block: number): void {
		this.#addressSpace = creator.addressSpace;
		this.legacy.memory = { space: creator.addressSpace, block };
		Shareable.join(creator.addressSpace, this.#task);
	}

	/** It has the table of the task that clones it, and in that both have their channels. */
	shareTable(creator: Sharing, channel: number, creatorChannel: number): void {
		const table = creator.fdTable;
		this.#fdTable = table;
		this.legacy.files = { table, channel };
		creator.legacy.files = { table, channel: creatorChannel };
		Shareable.join(table, this.#task);
	}

	/**
	 * Gives the task a table of its own, where others have it too; at once, also in a batch. The end of a channel tells
	 * that a program runs: nobody may keep another one's open.
	 */
	leaveTable(): void {
		FDTable.assertNobodyExpected(this.fdTable);
		const { files } = this.legacy;
		const task = this.#task;
		const others = files ? Shareable.others(files.table, task) : [];
		const [heir] = others;
		if (!files || !heir) return;
		const channels = task.channelFds.filter((channel) => channel >= 0 && channel !== files.channel);
		task.run(() => native().unshare(cloneFlags.files));
		this.legacy.files = undefined;
		this.#fdTable = undefined;
		Shareable.leave(files.table, task, heir);
		for (const other of others) if (closesIn(other, files.channel)) break;
		task.run(() => {
			for (const channel of channels) native().close(channel);
		});
	}
}

/** Closes a number in a task; `false`: it has died, which nobody had heard of. */
function closesIn(task: Task, number: number): boolean {
	try {
		task.run(() => native().close(number));
		return true;
	} catch (error) {
		if (!(error instanceof TaskGoneError)) throw error;
		return false;
	}
}
