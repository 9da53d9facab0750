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
 * Sets the nice value of a process, of a process group, or of all processes of a user.
 *
 * The kernel keeps a nice value for each thread. `"process"` changes the one thread that has the id, and the threads
 * and processes that this thread starts afterwards. Near, a thread of Node is therefore refused. `"group"` and `"user"`
 * change all threads.
 *
 * @param which - `"process"`: one process, by its pid, or one thread, by its id. `"group"`: a process group, by its id.
 * `"user"`: all processes of a user, by the real user id.
 * @param who - The id, 0 to 2147483647, for a user to 4294967294. 0: the current task, its process group, or its real
 * user.
 * @param nice - -20 (highest priority) to 19 (lowest).
 * @throws `EACCES` The value is lower than before, and the caller has neither CAP_SYS_NICE nor a sufficient limit
 * `"nice"`.
 * @throws `EPERM` A process is another user's, and the caller has no CAP_SYS_NICE.
 * @throws `ESRCH` The arguments match no process.
 * @throws `ERR_NEARFAR_MULTITHREADED` The id is that of a thread of Node.
 * @throws `ERR_NEARFAR_TASK_GONE` The current task has executed a program, exited or died.
 * @throws `TypeError` `which` is an unknown name, or another argument is not a number.
 * @throws `RangeError` The id or `nice` is not an integer of its range.
 * @example A task with a lower priority
 * ```ts
 * await using task = await Task.clone();
 * task.run(() => setpriority("process", 0, 10));
 * ```
 * @see setpriority(2); for a lower value CAP_SYS_NICE or the limit `"nice"`, for another user's process CAP_SYS_NICE
 */
export function setpriority(which: PriorityWhich, who: number, nice: number): void {
	const [kind, number] = toNumbers(which, who);
	const value = integer(nice, "nice", -20, 19);
	if (which === "process") refuseOneThread("setpriority", number);
	native().setpriority(kind, number, value);
}

/**
 * Returns the nice value of a process, or the lowest one in a process group or among the processes of a user.
 *
 * @param which - `"process"`: one process, by its pid, or one thread, by its id. `"group"`: a process group, by its id.
 * `"user"`: all processes of a user, by the real user id. Default: `"process"`.
 * @param who - The id, 0 to 2147483647, for a user to 4294967294. Default, or 0: the current task (near, the calling
 * thread), its process group, or its real user.
 * @returns -20 (highest priority) to 19 (lowest).
 * @throws `ESRCH` The arguments match no process.
 * @throws `ERR_NEARFAR_BATCH` The call is inside a batch, which has no value to return yet.
 * @throws `ERR_NEARFAR_TASK_GONE` The current task has executed a program, exited or died.
 * @throws `TypeError` `which` is an unknown name, or the id is not a number.
 * @throws `RangeError` The id is not an integer of its range.
 * @example
 * ```ts
 * console.log(getpriority()); // 0, unless Node was started with nice(1)
 * ```
 * @see getpriority(2); no privilege
 */
export function getpriority(which: PriorityWhich = "process", who = 0): number {
	const [kind, number] = toNumbers(which, who);
	return native().getpriority(kind, number);
}

function toNumbers(which: PriorityWhich, who: number): [number, number] {
	const kind = toChoice(priorityWhich, which, "which");
	// The binding takes an i32, and `| 0` turns the upper half of the user ids into the same 32 bits. 2^32-1 is no user
	// id.
	return [kind, which === "user" ? integer(who, "who", 0, 2 ** 32 - 2) | 0 : checkPid(who, "who", 0)];
}
