import type { Signal } from "@nearfar/core";
import { pid as checkPid, native, outOfRange, signalNumber } from "@nearfar/core/internal";

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
