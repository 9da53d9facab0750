import { native } from "../addon/native.ts";
import { optionalBoolean } from "../arguments.ts";
import { BatchError, MultithreadedError } from "../errors.ts";
import { currentBatch, currentTask } from "./target.ts";

/** The option of a function that changes the thread that makes its system calls. */
export interface ProcessOption {
	/**
	 * `true`: near, the function changes every thread of Node, or none. In a task the option changes nothing, because a task has
	 * one thread. Default: `false`, and the function is refused near.
	 */
	process?: boolean;
}

/**
 * Runs `fn`, whose system calls change the thread that makes them. In this process `fn` runs for all threads at once.
 *
 * @param options - The options of the public function, which has refused unknown ones. Here `process` is checked.
 * @param syscall - The system call, for the error message.
 * @param fn - Makes the calls through the addon.
 */
export function onEveryThread<T>(options: ProcessOption, syscall: string, fn: () => T): T {
	refuseEveryThread(options, syscall);
	if (!currentTask().isNear) return fn();
	native().enterEveryThread();
	try {
		return fn();
	} finally {
		native().leave();
	}
}

/** Throws what {@link onEveryThread} refuses before any call. */
export function refuseEveryThread(options: ProcessOption, syscall: string): void {
	const everyThread = optionalBoolean(options.process, "options.process");
	if (!currentTask().isNear) return;
	if (!everyThread) {
		throw new MultithreadedError(
			`${syscall} would change this thread of Node (process ${process.pid}) and leave its other threads as they are: make it in a task, or pass { process: true }`,
		);
	}
	if (currentBatch()) {
		throw new BatchError(
			`${syscall} with { process: true } needs the answer of every thread: call it outside of the batch`,
		);
	}
}
