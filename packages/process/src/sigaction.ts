import { MultithreadedError, type Signal } from "@nearfar/core";
import { currentTask, native, signalNumber, wrongValue } from "@nearfar/core/internal";

const dispositions = ["default", "ignore", "handler"] as const;

/** What a signal does to a process: its default action, nothing, or what a handler makes of it. */
export type Disposition = (typeof dispositions)[number];

/**
 * Tells what a signal does to the current task.
 *
 * @param signal - By name or number, 1 to 64.
 * @returns `"handler"` in this process alone, for the signals that Node handles: a task has no handlers.
 * @throws `EINVAL` signal 0 · `BatchError` in a batch · `TaskGoneError`
 * @example
 * ```ts
 * console.log(sigaction("SIGPIPE")); // ignore: Node does that
 * ```
 * @see sigaction(2); no privilege
 */
export function sigaction(signal: Signal): Disposition;
/**
 * Chooses what a signal does to the current task.
 *
 * What `task.exec()` starts has every signal at its default, and a clone of the task begins so: this is for what the task
 * itself shall live through.
 *
 * @param signal - By name or number, 1 to 64; 32 and 33 too, which a C library would keep to itself.
 * @param disposition - `"default"` or `"ignore"`.
 * @throws `EINVAL` SIGKILL, SIGSTOP, or 0 · `MultithreadedError` in this process: the handlers are Node's ·
 * `TaskGoneError`
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
	if (task.isNear) throw new MultithreadedError(`sigaction would take ${signal} from Node, whose handlers these are`);
	native().sigaction(number, disposition === "ignore");
	task.changedSignals();
	return undefined;
}
