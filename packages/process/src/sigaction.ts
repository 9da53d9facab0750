import { MultithreadedError, type Signal } from "@nearfar/core";
import { changesSignals, currentTask, isInNode, native, signalNumber, wrongValue } from "@nearfar/core/internal";

const dispositions = ["default", "ignore", "handler"] as const;

/** The disposition of a signal: the default action, no action, or a handler. */
export type Disposition = (typeof dispositions)[number];

/**
 * Returns the disposition of a signal in the current task.
 *
 * @param signal - A name, or a number from 1 to 64.
 * @returns The disposition. `"handler"` only near, for the signals that Node handles: a task has no handlers.
 * @throws `EINVAL` `signal` is 0.
 * @throws `ERR_NEARFAR_BATCH` The call is inside a batch, which has no value to return yet.
 * @throws `ERR_NEARFAR_TASK_GONE` The current task has executed a program, exited or died.
 * @throws `TypeError` `signal` is neither a number nor the name of a signal.
 * @throws `RangeError` The number is not from 0 to 64.
 * @example
 * ```ts
 * console.log(sigaction("SIGPIPE")); // ignore, which Node has set
 * ```
 * @see sigaction(2); no privilege
 */
export function sigaction(signal: Signal): Disposition;
/**
 * Sets the disposition of a signal in the current task.
 *
 * A program that `task.exec()` executes and a clone of the task begin with every signal at its default: this function
 * is for signals that the task itself has to survive.
 *
 * @param signal - A name, or a number from 1 to 64. The numbers 32 and 33, which a C library reserves, are allowed.
 * @param disposition - `"default"` or `"ignore"`.
 * @throws `EINVAL` `signal` is SIGKILL, SIGSTOP or 0.
 * @throws `ERR_NEARFAR_MULTITHREADED` Called near: the dispositions of this process belong to Node.
 * @throws `ERR_NEARFAR_TASK_GONE` The current task has executed a program, exited or died.
 * @throws `TypeError` `signal` is neither a number nor the name of a signal, or `disposition` is another value.
 * @throws `RangeError` The number is not from 0 to 64.
 * @example
 * ```ts
 * await using task = await Task.clone();
 * task.run(() => sigaction("SIGTERM", "ignore"));
 * kill(task.pid, "SIGTERM");
 * console.log(task.run(() => sigaction("SIGTERM"))); // ignore: the task lives
 * ```
 * @see sigaction(2); no privilege
 */
export function sigaction(signal: Signal, disposition: "default" | "ignore"): void;
export function sigaction(signal: Signal, disposition?: "default" | "ignore"): Disposition | undefined {
	const number = signalNumber(signal);
	if (disposition === undefined) return dispositions[native().getSigaction(number)];
	if (disposition !== "default" && disposition !== "ignore") {
		throw wrongValue("disposition", '"default" or "ignore"', disposition);
	}
	const task = currentTask();
	if (isInNode(task)) {
		throw new MultithreadedError(
			`cannot change the disposition of ${signal} in this process, whose handlers belong to Node: use a task`,
		);
	}
	native().sigaction(number, disposition === "ignore");
	changesSignals(task);
	return undefined;
}
