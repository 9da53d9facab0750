import { native } from "../addon/native.ts";
import { pid as checkPid, integer, outOfRange } from "../arguments.ts";
import { NamespaceMismatchError } from "../errors.ts";
import type { PidNamespace } from "../identity.ts";
import { refuseOneThread } from "../target/own-thread.ts";
import { currentTask } from "../target/target.ts";
import { type Signal, signalNumber } from "./signal.ts";

const PRIO_PROCESS = 0;

/**
 * Any process, by its pid.
 *
 * A pid can be used again as soon as its process was reaped, and then means a stranger: for a child there is
 * {@link ChildProcess}, for others a pidfd.
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

	/**
	 * @param pid - 1 or more.
	 * @param namespace - Default: that of the current task.
	 * @throws `TypeError`, `RangeError` not a pid
	 */
	constructor(pid: number, namespace: PidNamespace = currentTask().pidNamespace) {
		this.#pid = checkPid(pid, "pid", new.target === Process ? 1 : 0);
		this.namespace = namespace;
	}

	/** Its pid in `namespace`; 0: not visible from there, or a task that is still being cloned. */
	get pid(): number {
		return this.#pid;
	}

	/** A process that was made before it was cloned has a pid now. */
	static cloned(process: Process, pid: number): void {
		process.#pid = pid;
	}

	/**
	 * Sends a signal, from the current task.
	 *
	 * @param signal - Default: `"SIGTERM"`; 0 sends nothing and only checks.
	 * @throws `ESRCH` nobody has the pid · `EPERM` · `NamespaceMismatchError` the current task is in another pid namespace
	 * @see kill(2); the same user, or CAP_KILL
	 */
	kill(signal: Signal = "SIGTERM"): void {
		native().kill(this.visiblePid(), signalNumber(signal));
	}

	/**
	 * Sends a signal to the process group whose id is this pid.
	 *
	 * @param signal - Default: `"SIGTERM"`.
	 * @throws `ESRCH` no such group · `EPERM` none of it may be signalled · `RangeError` group 1, which kill(2) cannot name
	 * @see killpg(3); the same user, or CAP_KILL
	 */
	killpg(signal: Signal = "SIGTERM"): void {
		const group = this.visiblePid();
		// kill(2) reads -1 as everybody.
		if (group === 1) throw outOfRange("pid", "the id of a group that kill(2) can name: more than 1", group);
		native().kill(-group, signalNumber(signal));
	}

	/** Returns the id of its process group. Throws `ESRCH`. See getpgid(2). */
	getpgid(): number {
		return native().getpgid(this.visiblePid());
	}

	/**
	 * Sets its nice value.
	 *
	 * @param nice - -20 (first) to 19 (last).
	 * @throws `EACCES` a lower value needs CAP_SYS_NICE or the limit `nice` · `EPERM` not its owner · `ESRCH` ·
	 * `MultithreadedError` Node itself, of which one thread alone would change
	 * @see setpriority(2)
	 */
	setpriority(nice: number): void {
		const pid = this.visiblePid();
		const value = integer(nice, "nice", -20, 19);
		refuseOneThread("setpriority", pid);
		native().setpriority(PRIO_PROCESS, pid, value);
	}

	/** Returns its nice value, -20 to 19. Throws `ESRCH`. See getpriority(2). */
	getpriority(): number {
		return native().getpriority(PRIO_PROCESS, this.visiblePid());
	}

	/** The pid for a call of the current task. Throws `NamespaceMismatchError` where it would mean somebody else. */
	visiblePid(): number {
		const task = currentTask();
		if (task.pidNamespace !== this.namespace) {
			throw new NamespaceMismatchError(
				`${this} has its pid in the ${this.namespace}, and ${task} is in the ${task.pidNamespace}`,
			);
		}
		if (this.pid === 0) throw new NamespaceMismatchError(`${this} has no pid in the ${this.namespace}`);
		return this.pid;
	}

	/** `"process 4711"`. */
	toString(): string {
		return `process ${this.pid}`;
	}
}
