import type { FileDescriptor } from "./descriptor.ts";
import type { Task } from "./task.ts";

/** Identity of an open file description: `dup` and transfer keep it. Compared with `===`. */
export class OpenFile {}

class Namespace {
	/** Pid of the process for which it was made, as this process sees it. */
	readonly creatorPid: number;

	/** Made by nearfar, not by its users. */
	constructor(creatorPid: number) {
		this.creatorPid = creatorPid;
	}
}

/** Identity of a table of descriptors. Compared with `===`. */
export class FDTable extends Namespace {
	/** Open handles by number: what closes or replaces a number has to know whose it was. */
	readonly #handles = new Map<number, WeakRef<FileDescriptor>>();
	readonly #owner: () => Task;

	/** Made by nearfar, not by its users. */
	constructor(creatorPid: number, owner: () => Task) {
		super(creatorPid);
		this.#owner = owner;
	}

	/** `"descriptors of 4711"`. */
	override toString(): string {
		return `descriptors of ${this.creatorPid}`;
	}

	/** The task that has the table. */
	static owner(table: FDTable): Task {
		return table.#owner();
	}

	/** The open handles of a table, by number. */
	static handles(table: FDTable): Map<number, WeakRef<FileDescriptor>> {
		return table.#handles;
	}
}

/** Identity of an address space. Compared with `===`. */
export class AddressSpace extends Namespace {
	/** `"memory of 4711"`. */
	override toString(): string {
		return `memory of ${this.creatorPid}`;
	}
}

/** Identity of a pid namespace. Compared with `===`. */
export class PidNamespace extends Namespace {
	/** `"pid namespace of 4711"`. */
	override toString(): string {
		return `pid namespace of ${this.creatorPid}`;
	}
}
