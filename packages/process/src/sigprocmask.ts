import type { Signal } from "@nearfar/core";
import {
	array,
	currentTask,
	native,
	type SigprocmaskHow,
	signalName,
	signalNumber,
	sigprocmaskHow,
	toChoice,
} from "@nearfar/core/internal";

/**
 * Returns the signals that the current task blocks: they wait until they are unblocked.
 *
 * @returns In the order of their numbers. In this process: of the thread that asks.
 * @throws `BatchError` in a batch · `TaskGoneError`
 * @example
 * ```ts
 * await using task = await Task.clone();
 * console.log(task.run(() => sigprocmask())); // []
 * ```
 * @see sigprocmask(2); no privilege
 */
export function sigprocmask(): Signal[];
/**
 * Changes which signals the current task blocks.
 *
 * What `task.exec()` starts blocks none: this is for what the task itself shall live through, or receive later. SIGKILL
 * and SIGSTOP cannot be blocked, and are passed over in silence. A clone of the task begins with none blocked.
 *
 * @param how - `"block"` adds them, `"unblock"` takes them away, `"setmask"` makes them all that are blocked.
 * @param signals - By name or number, 1 to 64; 32 and 33 too, which a C library would keep to itself.
 * @throws `MultithreadedError` in this process: one thread of Node would have it and the others not · `TaskGoneError`
 * @example Read a signal instead of being killed by it
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
	if (how === undefined && signals === undefined) return names(native().getSigprocmask());
	const number = toChoice(sigprocmaskHow, how as SigprocmaskHow, "how");
	const set = array(signals, "signals").reduce((set, signal, index) => set | bit(signal, `signals[${index}]`), 0n);
	native().sigprocmask(number, set);
	currentTask().changedSignals();
	return undefined;
}

function bit(signal: Signal, name: string): bigint {
	return 1n << BigInt(signalNumber(signal, name, 1) - 1);
}

function names(set: bigint): Signal[] {
	const numbers = Array.from({ length: 64 }, (_, index) => index + 1);
	return numbers.filter((number) => (set >> BigInt(number - 1)) & 1n).map(signalName);
}
