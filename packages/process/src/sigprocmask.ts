import type { Signal } from "@nearfar/core";
import {
	array,
	changesSignals,
	currentTask,
	native,
	type SigprocmaskHow,
	signalName,
	signalNumber,
	sigprocmaskHow,
	toChoice,
} from "@nearfar/core/internal";

/**
 * Returns the signal mask of the current task, or, near, of the calling thread. A blocked signal stays pending until it
 * is unblocked.
 *
 * @returns The blocked signals in the order of their numbers.
 * @throws `ERR_NEARFAR_BATCH` The call is inside a batch, which has no value to return yet.
 * @throws `ERR_NEARFAR_TASK_GONE` The current task has executed a program, exited or died.
 * @example
 * ```ts
 * await using task = await Task.clone();
 * console.log(task.run(() => sigprocmask())); // []
 * ```
 * @see sigprocmask(2); no privilege
 */
export function sigprocmask(): Signal[];
/**
 * Changes the signal mask of the current task.
 *
 * A program that `task.exec()` executes and a clone of the task begin with no signal blocked: this function is for
 * signals that the task itself has to survive or to receive later. The kernel silently leaves out SIGKILL and SIGSTOP,
 * which cannot be blocked.
 *
 * @param how - `"block"` adds the signals to the mask, `"unblock"` removes them, `"setmask"` makes them the mask.
 * @param signals - Names, or numbers from 1 to 64. The numbers 32 and 33, which a C library reserves, are allowed.
 * @throws `ERR_NEARFAR_MULTITHREADED` Called near, where only one thread of Node would have the mask.
 * @throws `ERR_NEARFAR_TASK_GONE` The current task has executed a program, exited or died.
 * @throws `TypeError` `how` is an unknown name, or `signals` is not an array of names and numbers of signals.
 * @throws `RangeError` A number is not from 1 to 64.
 * @example Block a signal that would end the task
 * ```ts
 * await using task = await Task.clone();
 * task.run(() => sigprocmask("block", ["SIGTERM"]));
 * kill(task.pid, "SIGTERM");
 * console.log(task.run(() => sigprocmask())); // ["SIGTERM"], and the task lives
 * ```
 * @see sigprocmask(2); no privilege
 */
export function sigprocmask(how: SigprocmaskHow, signals: readonly Signal[]): void;
export function sigprocmask(how?: SigprocmaskHow, signals?: readonly Signal[]): Signal[] | undefined {
	if (how === undefined && signals === undefined) return toSignals(native().getSigprocmask());
	const number = toChoice(sigprocmaskHow, how as SigprocmaskHow, "how");
	const set = array(signals, "signals").reduce((set, signal, index) => set | toBit(signal, `signals[${index}]`), 0n);
	native().sigprocmask(number, set);
	changesSignals(currentTask());
	return undefined;
}

function toBit(signal: Signal, name: string): bigint {
	return 1n << BigInt(signalNumber(signal, name, 1) - 1);
}

function toSignals(set: bigint): Signal[] {
	const numbers = Array.from({ length: 64 }, (_, index) => index + 1);
	return numbers.filter((number) => (set >> BigInt(number - 1)) & 1n).map(signalName);
}
