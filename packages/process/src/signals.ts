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
 * As soon as a process has been reaped the kernel may give its pid to another one, which then gets the signal. Use
 * `ChildProcess.kill()` for a child and a pidfd for any other process.
 *
 * @param pid - 1 to 2147483647, in the pid namespace of the current task. For a group there is {@link killpg}.
 * @param signal - A name, or a number from 0 to 64. 0 sends nothing and only checks. Default: `"SIGTERM"`.
 * @throws `ESRCH` No process has the pid.
 * @throws `EPERM` The process is another user's, and the caller has no CAP_KILL.
 * @throws `ERR_NEARFAR_TASK_GONE` The current task has executed a program, exited or died.
 * @throws `TypeError` `pid` is not a number, or `signal` is neither a number nor the name of a signal.
 * @throws `RangeError` `pid` or the number of the signal is out of range.
 * @example Test whether a process can be signalled
 * ```ts
 * kill(process.ppid, 0); // throws ESRCH or EPERM if not
 * ```
 * @see kill(2); the same user, or CAP_KILL
 */
export function kill(pid: number, signal: Signal = "SIGTERM"): void {
	native().kill(checkPid(pid), signalNumber(signal));
}

/**
 * Sends a signal to all processes of a process group.
 *
 * @param pgid - 2 to 2147483647, or 0: the group of the current task; near, Node's. Group 1 is refused: kill(2) takes
 * -1 for all processes.
 * @param signal - A name, or a number from 0 to 64. 0 sends nothing and only checks. Default: `"SIGTERM"`.
 * @throws `ESRCH` There is no such group.
 * @throws `EPERM` The caller may signal no process of the group.
 * @throws `ERR_NEARFAR_TASK_GONE` The current task has executed a program, exited or died.
 * @throws `TypeError` `pgid` is not a number, or `signal` is neither a number nor the name of a signal.
 * @throws `RangeError` `pgid` or the number of the signal is out of range, or `pgid` is 1.
 * @example
 * ```ts
 * killpg(0, 0); // does not throw: our own group has a member, Node
 * ```
 * @see killpg(3); the same user, or CAP_KILL
 */
export function killpg(pgid: number, signal: Signal = "SIGTERM"): void {
	const group = checkPid(pgid, "pgid", 0);
	if (group === 1) throw outOfRange("pgid", "the id of a group that kill(2) can name: 0, or more than 1", pgid);
	native().kill(0 - group, signalNumber(signal));
}

/**
 * Sends a signal to a thread of a process.
 *
 * A signal whose action is to end or stop does so to the whole process. A signal that is blocked or handled goes to the
 * thread alone.
 *
 * @param tgid - The pid of the process, 1 to 2147483647.
 * @param tid - The id of one of its threads, 1 to 2147483647: a name in `/proc/<pid>/task`.
 * @param signal - A name, or a number from 0 to 64. 0 sends nothing and only checks.
 * @throws `ESRCH` There is no such process, or the thread is not one of its.
 * @throws `EPERM` The process is another user's, and the caller has no CAP_KILL.
 * @throws `EAGAIN` The signal is a real-time signal, and the queue of the receiving user is full (the limit
 * `"sigpending"`).
 * @throws `ERR_NEARFAR_TASK_GONE` The current task has executed a program, exited or died.
 * @throws `TypeError` `tgid` or `tid` is not a number, or `signal` is neither a number nor the name of a signal.
 * @throws `RangeError` `tgid`, `tid` or the number of the signal is out of range.
 * @example
 * ```ts
 * tgkill(process.pid, process.pid, 0); // does not throw: Node's first thread exists
 * ```
 * @see tgkill(2), Linux 2.5.75; the same user, or CAP_KILL
 */
export function tgkill(tgid: number, tid: number, signal: Signal): void {
	native().tgkill(checkPid(tgid, "tgid"), checkPid(tid, "tid"), signalNumber(signal));
}

/**
 * Sends a signal with a value to a process.
 *
 * Real-time signals (34 to 64) are queued in order, each with its value. Of any other signal the kernel keeps one. A
 * receiver that uses sigwaitinfo(2), a signalfd or a handler reads the value, and the pid and the real user id that the
 * current task had when this function was called, in a batch too.
 *
 * @param pid - 1 to 2147483647, in the pid namespace of the current task.
 * @param signal - A name, or a number from 0 to 64. 0 sends nothing and only checks.
 * @param value - A number from -2147483648 to 2147483647 for `sival_int`, or a bigint from 0 to 2^64-1 for `sival_ptr`.
 * Default: 0.
 * @throws `ESRCH` No process has the pid.
 * @throws `EPERM` The process is another user's, and the caller has no CAP_KILL.
 * @throws `EAGAIN` The signal is a real-time signal, and the queue of the receiving user is full (the limit
 * `"sigpending"`).
 * @throws `ERR_NEARFAR_TASK_GONE` The current task has executed a program, exited or died.
 * @throws `TypeError` `pid` is not a number, `signal` is neither a number nor the name of a signal, or `value` is
 * neither a number nor a bigint.
 * @throws `RangeError` `pid`, the number of the signal or `value` is out of range.
 * @example Kill a task by a real-time signal
 * ```ts
 * await using task = await Task.clone();
 * sigqueue(task.pid, 40, 7);
 * console.log((await task.process.exited).signal); // 40
 * ```
 * @see sigqueue(3), rt_sigqueueinfo(2), Linux 2.2; the same user, or CAP_KILL
 */
export function sigqueue(pid: number, signal: Signal, value: number | bigint = 0): void {
	const [receiver, number, bits] = [checkPid(pid), signalNumber(signal), valueBits(value)];
	// rt_sigqueueinfo(2) takes the sender's pid and user id from its caller. `run` asks the task for both at once, also
	// while a batch is collected, in which no call returns a value.
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
