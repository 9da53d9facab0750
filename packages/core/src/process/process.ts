import { native } from "../addon/native.ts";
import { pid as checkPid, integer, outOfRange } from "../arguments.ts";
import { NamespaceMismatchError } from "../errors.ts";
import type { PidNamespace } from "../identity.ts";
import { refuseOneThread } from "../target/own-thread.ts";
import { currentTask } from "../target/target.ts";
import { type Signal, signalNumber } from "./signal.ts";

const PRIO_PROCESS = 0;

/** Sets the pid of a process whose object was made before the clone succeeded. */
export let setPid: (process: Process, pid: number) => void;

/**
 * Any process, by its pid.
 *
 * The kernel may reuse a pid as soon as its process was reaped, and the pid then means a stranger. For a child use
 * {@link ChildProcess}, for other processes a pidfd.
 *
 * @example
 * ```ts
 * new Process(process.ppid).kill(0); // throws ESRCH or EPERM, or does nothing
 * ```
 */
export class Process {
	/** The pid namespace that `pid` is a number of. */
	readonly namespace: PidNamespace;
	#pid: number;

	static {
		setPid = (process, pid) => {
			process.#pid = pid;
		};
	}

	/**
	 * @param pid - 1 or more.
	 * @param namespace - The pid namespace of `pid`. Default: the namespace of the current task.
	 * @throws `TypeError` `pid` is not a number.
	 * @throws `RangeError` `pid` is not a whole number from 1 to 2147483647.
	 */
	constructor(pid: number, namespace: PidNamespace = currentTask().pidNamespace) {
		this.#pid = checkPid(pid, "pid", new.target === Process ? 1 : 0);
		this.namespace = namespace;
	}

	/** The pid in `namespace`. 0: the process is not visible from there, or is a task that is still being cloned. */
	get pid(): number {
		return this.#pid;
	}

	/**
	 * Sends a signal, from the current task.
	 *
	 * @param signal - A name or a number from 0 to 64. 0 sends nothing and only checks. Default: `"SIGTERM"`.
	 * @throws `ESRCH` No process has the pid.
	 * @throws `EPERM` The caller is another user, and has no CAP_KILL.
	 * @throws `ERR_NEARFAR_NAMESPACE_MISMATCH` The current task is in another pid namespace.
	 * @throws `TypeError` `signal` is not a signal's name.
	 * @throws `RangeError` `signal` is a number that is not from 0 to 64.
	 * @see kill(2); the same user, or CAP_KILL
	 */
	kill(signal: Signal = "SIGTERM"): void {
		native().kill(pidForCurrentTask(this), signalNumber(signal));
	}

	/**
	 * Sends a signal to the process group whose id is this pid.
	 *
	 * @param signal - A name or a number from 0 to 64. 0 sends nothing and only checks. Default: `"SIGTERM"`.
	 * @throws `ESRCH` There is no such group.
	 * @throws `EPERM` The caller may signal no process of the group.
	 * @throws `RangeError` The pid is 1, and kill(2) has no way to name group 1.
	 * @throws `RangeError` `signal` is a number that is not from 0 to 64.
	 * @throws `TypeError` `signal` is not a signal's name.
	 * @throws `ERR_NEARFAR_NAMESPACE_MISMATCH` The current task is in another pid namespace.
	 * @see killpg(3); the same user, or CAP_KILL
	 */
	killpg(signal: Signal = "SIGTERM"): void {
		const group = pidForCurrentTask(this);
		// kill(2) reads -1 as all processes.
		if (group === 1) throw outOfRange("pid", "the id of a group that kill(2) can name: more than 1", group);
		native().kill(-group, signalNumber(signal));
	}

	/**
	 * Returns the id of its process group.
	 *
	 * @throws `ESRCH` No process has the pid.
	 * @throws `ERR_NEARFAR_NAMESPACE_MISMATCH` The current task is in another pid namespace.
	 * @see getpgid(2); no privilege
	 */
	getpgid(): number {
		return native().getpgid(pidForCurrentTask(this));
	}

	/**
	 * Sets its nice value.
	 *
	 * @param nice - -20 (most favourable) to 19 (least favourable).
	 * @throws `EACCES` `nice` is lower than before, and the caller has neither CAP_SYS_NICE nor the limit `"nice"` for it.
	 * @throws `EPERM` The process is another user's, and the caller has no CAP_SYS_NICE.
	 * @throws `ESRCH` No process has the pid.
	 * @throws `ERR_NEARFAR_MULTITHREADED` The process is Node itself, and the call would change one of the threads only.
	 * @throws `ERR_NEARFAR_NAMESPACE_MISMATCH` The current task is in another pid namespace.
	 * @throws `TypeError` `nice` is not a number.
	 * @throws `RangeError` `nice` is not a whole number from -20 to 19.
	 * @see setpriority(2)
	 */
	setpriority(nice: number): void {
		const pid = pidForCurrentTask(this);
		const value = integer(nice, "nice", -20, 19);
		refuseOneThread("setpriority", pid);
		native().setpriority(PRIO_PROCESS, pid, value);
	}

	/**
	 * Returns its nice value, -20 to 19.
	 *
	 * @throws `ESRCH` No process has the pid.
	 * @throws `ERR_NEARFAR_NAMESPACE_MISMATCH` The current task is in another pid namespace.
	 * @see getpriority(2); no privilege
	 */
	getpriority(): number {
		return native().getpriority(PRIO_PROCESS, pidForCurrentTask(this));
	}

	/** Returns `"process 4711"`. */
	toString(): string {
		return `process ${this.pid}`;
	}
}

/** Returns the pid of a process for a call of the current task. Refuses a pid that would mean another process there. */
export function pidForCurrentTask(process: Process): number {
	const task = currentTask();
	const { namespace, pid } = process;
	if (task.pidNamespace !== namespace) {
		throw new NamespaceMismatchError(
			`${process} has its pid in the ${namespace}, and ${task} is in the ${task.pidNamespace}`,
		);
	}
	if (pid === 0) throw new NamespaceMismatchError(`${process} has no pid in the ${namespace}`);
	return pid;
}
