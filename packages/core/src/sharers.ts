import type { AnyTask } from "./target/target.ts";

/** The tasks that have one table of descriptors, or one address space. */
export class Sharers {
	/** The creator, or a task that took its place. The reference is strong: an open handle needs a task to close it in. */
	#keeper: AnyTask;
	/** The other tasks. The references are weak: a task without any other reference can be collected. */
	#others: WeakRef<AnyTask>[] = [];

	/** @param creator - The first task. */
	constructor(creator: AnyTask) {
		this.#keeper = creator;
	}

	/** Adds a task, and drops the tasks that have ended: otherwise the list would grow with every task that ever shared. */
	add(task: AnyTask): void {
		const living = this.#others.filter((other) => other.deref()?.state === "live");
		this.#others = [...living, new WeakRef(task)];
	}

	/** Removes a task that goes on with a table of its own. */
	remove(task: AnyTask): void {
		this.#others = this.#others.filter((other) => other.deref() !== task);
		if (this.#keeper !== task) return;
		// The task must not stay even if the others have ended: its numbers mean descriptors of another table now.
		const ended = this.#others.map((other) => other.deref()).find((other) => other !== undefined);
		this.#keeper = this.livingTasks(task)[0] ?? ended ?? task;
	}

	/** Returns a task that can be asked to work on what is shared: one that lives, if any does. */
	pickTask(): AnyTask {
		return this.livingTasks()[0] ?? this.#keeper;
	}

	/**
	 * Returns the tasks that live, the keeper first.
	 *
	 * @param except - A task to leave out.
	 */
	livingTasks(except?: AnyTask): AnyTask[] {
		const all = new Set([this.#keeper, ...this.#others.map((other) => other.deref())]);
		return [...all].filter((task) => task !== undefined && task.state === "live" && task !== except) as AnyTask[];
	}
}
