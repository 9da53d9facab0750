import {
	pid as checkPid,
	integer,
	native,
	type PriorityWhich,
	priorityWhich,
	refuseOneThread,
	toChoice,
} from "@nearfar/core/internal";

/**
 * Sets the nice value of a process, of all processes of a group, or of all that a user has.
 *
 * To the kernel it is a thread that is nice: of a process with several only the first one changes, and what that starts
 * from then on. Node's own threads are therefore refused one by one; of a group and a user all threads change.
 *
 * @param which - `"process"`, `"group"` or `"user"`.
 * @param who - The pid, the id of the group, or the real user id; 0: those of the current task.
 * @param nice - -20 (first) to 19 (last).
 * @throws `EACCES` a lower value · `EPERM` another user's · `ESRCH` nobody is meant · `MultithreadedError` a thread of
 * Node alone · `TaskGoneError`
 * @example A task that steps back for others
 * ```ts
 * await using task = await Task.clone();
 * task.run(() => setpriority("process", 0, 10));
 * ```
 * @see setpriority(2); for a lower value CAP_SYS_NICE or the limit `"nice"`, for another user's CAP_SYS_NICE
 */
export function setpriority(which: PriorityWhich, who: number, nice: number): void {
	const [kind, number] = whose(which, who);
	const value = integer(nice, "nice", -20, 19);
	if (which === "process") refuseOneThread("setpriority", number);
	native().setpriority(kind, number, value);
}

/**
 * Returns the nice value of a process, or the lowest one in a group or of a user's processes.
 *
 * @param which - `"process"` (default), `"group"` or `"user"`.
 * @param who - The pid, the id of the group, or the real user id; 0 (default): those of the current task, in this
 * process of the thread that asks.
 * @returns -20 (first) to 19 (last).
 * @throws `ESRCH` nobody is meant · `BatchError` in a batch · `TaskGoneError`
 * @example
 * ```ts
 * console.log(getpriority()); // 0, unless Node was started with nice(1)
 * ```
 * @see getpriority(2); no privilege
 */
export function getpriority(which: PriorityWhich = "process", who = 0): number {
	const [kind, number] = whose(which, who);
	return native().getpriority(kind, number);
}

function whose(which: PriorityWhich, who: number): [number, number] {
	const kind = toChoice(priorityWhich, which, "which");
	// A user id has all 32 bits; -1, the last one, is nobody.
	return [kind, which === "user" ? integer(who, "who", 0, 2 ** 32 - 2) | 0 : checkPid(who, "who", 0)];
}
