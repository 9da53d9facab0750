import { native } from "../addon/native.ts";
import { NearfarError } from "../errors.ts";
import type { Task } from "../task/task.ts";

// What runs the calls of this thread now: JavaScript's side of the addon's current target.
let current: Task | undefined;
let near: (() => Task) | undefined;
let batch: Batch | undefined;

/** What a batch has to do once its calls have run. */
export interface Batch {
	/**
	 * Told the numbers of the descriptors that the batch made, in order, or that it failed, and how many of its calls had
	 * succeeded then; -1: it was not sent.
	 */
	readonly settle: ((numbers: readonly number[] | undefined, succeeded: number) => void)[];
}

/** `task.ts` says which object stands for this process. */
export function setNear(task: () => Task): void {
	near = task;
}

/** The task whose `run` or `batch` is on the stack, else this process. */
export function currentTask(): Task {
	return current ?? nearTask();
}

/** This process. */
export function nearTask(): Task {
	if (!near) throw new NearfarError("INTERNAL", "@nearfar/core was not loaded whole");
	return near();
}

/** The batch that is being collected, if one is. */
export function currentBatch(): Batch | undefined {
	return batch;
}

/** Runs `fn` with another current task and batch, and puts the former back whatever happens. */
export function withTarget<T>(task: Task, collecting: Batch | undefined, fn: () => T): T {
	const [outerTask, outerBatch] = [current, batch];
	current = task;
	batch = collecting;
	try {
		return fn();
	} finally {
		current = outerTask;
		batch = outerBatch;
	}
}

/**
 * Runs `fn` now, or, in a batch, when the call that was collected last has succeeded.
 *
 * @param otherwise - What to do when it has not been made, or was refused.
 */
export function afterSuccess(fn: () => void, otherwise = () => {}): void {
	if (!batch) {
		fn();
		return;
	}
	const calls = native().collected();
	batch.settle.push((_, succeeded) => (succeeded >= calls ? fn() : otherwise()));
}
