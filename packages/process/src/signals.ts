import type { Signal } from "@nearfar/core";
import {
	pid as checkPid,
	currentTask,
	integer,
	native,
	outOfRange,
	signalNumber,
	wrongType,
} from "@nearfar/core/internal";

/**
 * Sends a signal to a process.
 *
 * The pid is one of the current task's pid namespace, and may mean a stranger once its process was reaped: for a child
 * there is `ChildProcess.kill()`, for others a pidfd.
 *
 * @param pid - 1 or more. Groups are for {@link killpg}; all processes at once are for nobody.
 * @param signal - Default: `"SIGTERM"`; 0 sends nothing and only checks.
 * @throws `ESRCH` nobody has the pid · `EPERM` another user's · `TaskGoneError`
 * @example Ask whether a process can be signalled
 * ```ts
 * kill(process.ppid, 0); // throws ESRCH or EPERM where it cannot
 * ```
 * @see kill(2); the same user, or CAP_KILL
 */
export function kill(pid: number, signal: Signal = "SIGTERM"): void {
	native().kill(checkPid(pid), signalNumber(signal));
}

/**
 * Sends a signal to all processes of a group.
 *
 * @param pgid - 2 or more, or 0: the current task's own group, which in this process is Node's. Group 1 is refused:
 * kill(2) would take it for everybody.
 * @param signal - Default: `"SIGTERM"`; 0 sends nothing and only checks.
 * @throws `ESRCH` no such group · `EPERM` none of it may be signalled · `RangeError` group 1 · `TaskGoneError`
 * @example
 * ```ts
 * killpg(0, 0); // there is somebody in our own group: us
 * ```
 * @see killpg(3); the same user, or CAP_KILL
 */
export function killpg(pgid: number, signal: Signal = "SIGTERM"): void {
	const group = checkPid(pgid, "pgid", 0);
	if (group === 1) throw outOfRange("pgid", "the id of a group that kill(2) can name: 0, or more than 1", pgid);
	native().kill(0 - group, signalNumber(signal));
}

/**
 * Sends a signal to one thread of a process.
 *
 * A signal that ends or stops, ends or stops the whole process; one that is blocked or handled is the thread's alone.
 *
 * @param tgid - The pid of the process, 1 or more.
 * @param tid - The id of one of its threads, 1 or more: a name in `/proc/<pid>/task`.
 * @param signal - 0 sends nothing and only checks.
 * @throws `ESRCH` no such process, or the thread is not one of it · `EPERM` another user's · `EAGAIN` a real-time signal,
 * and the queue is full · `TaskGoneError`
 * @example
 * ```ts
 * tgkill(process.pid, process.pid, 0); // our first thread is there
 * ```
 * @see tgkill(2), Linux 2.5.75; the same user, or CAP_KILL
 */
export function tgkill(tgid: number, tid: number, signal: Signal): void {
	native().tgkill(checkPid(tgid, "tgid"), checkPid(tid, "tid"), signalNumber(signal));
}

/**
 * Sends a signal with a value to a process.
 *
 * Real-time signals (34 to 64) are queued, each with its value and in order; of another signal one is kept. Who receives
 * it with sigwaitinfo(2), a signalfd or a handler reads the value, and the pid and real user id of the current task as
 * they were when this was called, in a batch too.
 *
 * @param pid - 1 or more.
 * @param signal - 0 sends nothing and only checks.
 * @param value - For `sival_int` a number, -2147483648 to 2147483647; for `sival_ptr` a bigint, 0 to 2^64-1. Default: 0.
 * @throws `ESRCH` nobody has the pid · `EPERM` another user's · `EAGAIN` a real-time signal, and the queue of the
 * receiver's user is full (the limit `"sigpending"`) · `TaskGoneError`
 * @example A task that waits for no signal, and so is killed by this one
 * ```ts
 * await using task = await Task.clone();
 * sigqueue(task.pid, 40, 7);
 * console.log((await task.process.exited).signal); // 40
 * ```
 * @see sigqueue(3), rt_sigqueueinfo(2), Linux 2.2; the same user, or CAP_KILL
 */
export function sigqueue(pid: number, signal: Signal, value: number | bigint = 0): void {
	const [receiver, number, bits] = [checkPid(pid), signalNumber(signal), valueBits(value)];
	// The kernel sends what it is told about the sender. Also in a batch, which has no values, the task can be asked.
	const [sender, uid] = currentTask().run(() => [native().getpid(), native().getuid()] as const);
	native().sigqueue(receiver, number, bits, sender, uid);
}

function valueBits(value: number | bigint): bigint {
	if (typeof value === "bigint") {
		if (value < 0n || value >= 1n << 64n) throw outOfRange("value", "a bigint from 0 to 2^64-1", value);
		return value;
	}
	if (typeof value !== "number") throw wrongType("value", "a number or a bigint", value);
	return BigInt.asUintN(64, BigInt(integer(value, "value", -(2 ** 31), 2 ** 31 - 1)));
}
