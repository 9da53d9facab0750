import type { FailureData } from "../../native/binding.js";
import { native } from "../addon/native.ts";
import { enterCopy } from "../copies.ts";
import { NearfarError, type TaskGoneError } from "../errors.ts";
import type { Process } from "../process/process.ts";
import type { Command } from "../task/exec-options.ts";
import type { Task } from "../task/task.ts";
import type { StepHints } from "./explained.ts";

/** A task of any kind: a child, or this process. */
export type AnyTask = Task<Process>;

/** The functions that the lower floors need of a task beside its public members. `task/` provides them. */
export interface TaskControl {
	/** Returns the object that stands for this process. */
	near(): AnyTask;
	/** Closes a descriptor of a task without waiting for it. */
	closeLater(task: AnyTask, number: number): void;
	/** Returns the numbers of the channels that a call of a task which closes descriptors by number has to spare, in order. */
	channelsToSpare(task: AnyTask): number[];
	/** Refuses the number of a channel. */
	refuseChannel(task: AnyTask, number: number, parameter: string): void;
	/** Gives a task a descriptor table of its own, if it shares one. */
	leaveTable(task: AnyTask): void;
	/** Returns what stands in the way of a refused call of the current task. `undefined`: nothing explains the refusal. */
	hint(failure: FailureData): string | undefined;
	/** Returns the error for a call that did not reach a task. `broken`: a message that no stub sends, in words. */
	goneError(task: AnyTask, broken?: string): TaskGoneError;
}

/** A batch that is being collected, or is under way. */
export interface Batch {
	/**
	 * Called when the batch has ended: with the numbers of the descriptors that it made, in order, or with `undefined` if
	 * it failed. `succeeded` is the number of calls that have succeeded; -1: the batch was not sent.
	 */
	readonly whenEnded: ((numbers: readonly number[] | undefined, succeeded: number) => void)[];
	/** The hints for calls of the batch. When calls are nested, the inner ones come first. */
	readonly hints: StepHints[];
	/** The function for which the batch executes a program, if that is not `Task.exec`. */
	executing?: Executing;
}

/** A function that has a batch execute a program, for the message of its error. */
export interface Executing {
	/** The name of the function. */
	readonly call: string;
	/** The number, in this process, of the descriptor that the function was given. `undefined`: the function was given a path. */
	readonly descriptor: number | undefined;
}

/** The child that calls are about, for their errors. */
export interface Subject {
	readonly process: Process;
	/** The program that the child executes. */
	readonly command: Command | undefined;
	/** The obstacle, in words, for the error `ECHILD`. */
	readonly hint: string | undefined;
}

// What runs the calls of this thread now: the JavaScript side of the addon's current target.
let current: AnyTask | undefined;
let batch: Batch | undefined;
let subject: Subject | undefined;
let file: string | undefined;
let control: TaskControl | undefined;

/** Provides the functions of `task/`. */
export function provideTaskControl(functions: TaskControl): void {
	control = functions;
}

/** Returns the functions that `task/` has provided. */
export function taskControl(): TaskControl {
	if (!control) throw new NearfarError("INTERNAL", "@nearfar/core was not loaded as a whole");
	return control;
}

/** Returns the task whose `run` or `batch` is on the stack, otherwise this process. */
export function currentTask(): AnyTask {
	return current ?? nearTask();
}

/** Returns the task that stands for this process. */
export function nearTask(): AnyTask {
	return taskControl().near();
}

/** Returns true for this process and for its threads, whose descriptors and memory are those of Node. */
export function isInNode(task: AnyTask = currentTask()): boolean {
	return task.isNear || task.fdTable === nearTask().fdTable;
}

/** Returns the property of an error that says which task has made the call. For this process there is none. */
export function taskOf(task: AnyTask = currentTask()): { task?: string } {
	return task.isNear ? {} : { task: task.toString() };
}

/** Returns the batch that is being collected, if there is one. */
export function currentBatch(): Batch | undefined {
	return batch;
}

/** Runs `fn` with another current task and batch, and restores the former ones even if `fn` throws. */
export function withTarget<T>(task: AnyTask, collecting: Batch | undefined, fn: () => T): T {
	const [outerTask, outerBatch] = [current, batch];
	current = task;
	batch = collecting;
	try {
		return enterCopy(fn);
	} finally {
		current = outerTask;
		batch = outerBatch;
	}
}

/** Runs `fn`, whose calls are about a child. When calls are nested, the outer child is the one that errors name. */
export function withSubject<T>(about: Subject, fn: () => T): T {
	const outer = subject;
	subject ??= about;
	try {
		return fn();
	} finally {
		subject = outer;
	}
}

/** Returns the child that the present calls are about, if there is one. */
export function currentSubject(): Subject | undefined {
	return subject;
}

/** Runs `fn`. An error of a call then has the path of a file that the call knows by another name, or by a descriptor alone. */
export function withFile<T>(path: string, fn: () => T): T {
	const outer = file;
	file = path;
	try {
		return fn();
	} finally {
		file = outer;
	}
}

/** Returns the path of the file that the present calls are about, if they do not name it themselves. */
export function currentFile(): string | undefined {
	return file;
}

/**
 * Calls `fn` now. While a batch is collected, calls `fn` when the call that was collected last has succeeded.
 *
 * @param fn - Called after success.
 * @param otherwise - Called when that call was not made, or has failed.
 */
export function afterSuccess(fn: () => void, otherwise = () => {}): void {
	if (!batch) {
		fn();
		return;
	}
	const calls = native().collected();
	batch.whenEnded.push((_, succeeded) => (succeeded >= calls ? fn() : otherwise()));
}
