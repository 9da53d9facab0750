import { throwIfAborted } from "../abortable.ts";
import { waitFlags } from "../addon/flags.generated.ts";
import { dispatch, native } from "../addon/native.ts";
import { wrongType } from "../arguments.ts";
import { ChildBusyError, ClosedError, ExitError } from "../errors.ts";
import { FileDescriptor } from "../files/descriptor.ts";
import type { PidNamespace } from "../identity.ts";
import { nearTask } from "../target/target.ts";
import type { Command } from "../task/exec-options.ts";
import {
	type ChildState,
	type ExitStatus,
	howItEnded,
	type ResourceUsage,
	stateKinds,
	toState,
	toUsage,
} from "./child-state.ts";
import { ChildTracker } from "./child-tracker.ts";
import { Process, pidForCurrentTask } from "./process.ts";
import { type Signal, signalNumber } from "./signal.ts";
import { toAsked, toWanted, type WaitOptions, waitBits } from "./waiters.ts";

const SIGKILL = 9;

/**
 * A child of this process, or of one of its tasks. The kernel does not reuse the pid of a child before this process has
 * seen the child's death, unless a supervisor or a program has become the parent, and reaps the child.
 *
 * @example
 * ```ts
 * const task = await Task.clone();
 * const child = task.exec("/bin/sh", ["sh", "-c", "exit 7"]);
 * console.log(await child.exited); // { code: 7, signal: null, dumped: false }
 * ```
 * @example Kill a child at the end of a block
 * ```ts
 * const task = await Task.clone();
 * const child = task.exec("sleep", ["sleep", "1000"]);
 * try {
 *   console.log(child.pid);
 * } finally {
 *   await child[Symbol.asyncDispose](); // as `await using child = …`, which plain JavaScript has from Node 24 on
 * }
 * ```
 */
export class ChildProcess extends Process implements AsyncDisposable {
	readonly #tracker: ChildTracker;
	#fd: FileDescriptor | undefined;

	/**
	 * @param id - The addon's number: `Task.clone` makes children, their users do not.
	 * @param namespace - The pid namespace of this process.
	 */
	constructor(id: number, namespace: PidNamespace) {
		super(0, namespace);
		this.#tracker = new ChildTracker(this, id);
	}

	/**
	 * The pidfd of the child, a descriptor of this process. The first use opens the pidfd, and so does a use after a close. The
	 * pidfd stays open after the child's death until it is closed or the child is disposed of.
	 *
	 * @throws `ERR_NEARFAR_CLOSED` The child has died, and its pidfd was never asked for before.
	 * @throws `EMFILE` No descriptor of this process is free.
	 * @throws `ERR_NEARFAR_BATCH` The child is still being cloned.
	 */
	get fd(): FileDescriptor {
		const tracker = this.#tracker;
		tracker.assertCloned("open the pidfd of");
		if (!this.#fd || (this.#fd.closed && !tracker.death)) {
			const number = tracker.named(() => native().childPidfd(tracker.id));
			if (number < 0) throw new ClosedError(`${this} has ended, and its pidfd was not asked for before`);
			this.#fd = nearTask().run(() => FileDescriptor.from(number));
		}
		return this.#fd;
	}

	/** The program that it executes or has executed. */
	get command(): Command | undefined {
		return this.#tracker.command;
	}

	/** How it ended, remembered for ever. `undefined` while it lives. */
	get death(): ChildState | undefined {
		return this.#tracker.death;
	}

	/** The resources that it used, known after its death: times in microseconds, `maxRSS` in kilobytes. */
	get resourceUsage(): ResourceUsage | undefined {
		return toUsage(this.#tracker.usage);
	}

	/** Resolves when it has ended: the same promise every time. Keeps the event loop alive while `ref`'d. */
	get exited(): Promise<ExitStatus> {
		return this.#tracker.exited();
	}

	/**
	 * Sends a signal through its pidfd, so that no stranger can get it. Sends it at once, even while a batch is collected.
	 *
	 * @param signal - A name or a number from 0 to 64. 0 sends nothing and only checks. Default: `"SIGTERM"`.
	 * @throws `ERR_NEARFAR_CHILD_DEAD` The child has ended.
	 * @throws `EPERM` The child has become another user's, and the caller has no CAP_KILL.
	 * @throws `ERR_NEARFAR_BATCH` The child is still being cloned.
	 * @throws `TypeError` `signal` is not a signal's name.
	 * @throws `RangeError` `signal` is a number that is not from 0 to 64.
	 * @example
	 * ```ts
	 * const child = (await Task.clone()).exec("sleep", ["sleep", "1000"]);
	 * child.kill("SIGKILL");
	 * console.log((await child.exited).signal); // SIGKILL
	 * ```
	 * @see pidfd_send_signal(2), Linux 5.1
	 */
	override kill(signal: Signal = "SIGTERM"): void {
		const number = signalNumber(signal);
		const tracker = this.#tracker;
		tracker.assertAlive("kill");
		if (!tracker.named(() => native().killChild(tracker.id, number))) tracker.throwGone("kill");
	}

	/**
	 * Sends a signal to the process group whose id is its pid, from the current task.
	 *
	 * @param signal - A name or a number from 0 to 64. 0 sends nothing and only checks. Default: `"SIGTERM"`.
	 * @throws `ERR_NEARFAR_CHILD_DEAD` The child has ended, even if others are left in its group.
	 * @throws `ESRCH` There is no such group.
	 * @throws `EPERM` The caller may signal no process of the group.
	 * @throws `ERR_NEARFAR_NAMESPACE_MISMATCH` The current task is in another pid namespace than this process.
	 * @see killpg(3)
	 */
	override killpg(signal: Signal = "SIGTERM"): void {
		this.#tracker.hold("killpg", () => super.killpg(signal));
	}

	/**
	 * Returns the id of its process group.
	 *
	 * @throws `ERR_NEARFAR_CHILD_DEAD` The child has ended.
	 * @throws `ERR_NEARFAR_NAMESPACE_MISMATCH` The current task is in another pid namespace than this process.
	 * @see getpgid(2); no privilege
	 */
	override getpgid(): number {
		return this.#tracker.hold("getpgid", () => super.getpgid());
	}

	/**
	 * Sets its nice value.
	 *
	 * @param nice - -20 (most favourable) to 19 (least favourable).
	 * @throws `ERR_NEARFAR_CHILD_DEAD` The child has ended.
	 * @throws `EACCES` `nice` is lower than before, and the caller has neither CAP_SYS_NICE nor the limit `"nice"` for it.
	 * @throws `EPERM` The child has become another user's, and the caller has no CAP_SYS_NICE.
	 * @throws `ERR_NEARFAR_NAMESPACE_MISMATCH` The current task is in another pid namespace than this process.
	 * @see setpriority(2)
	 */
	override setpriority(nice: number): void {
		this.#tracker.hold("setpriority", () => super.setpriority(nice));
	}

	/**
	 * Returns its nice value, -20 to 19.
	 *
	 * @throws `ERR_NEARFAR_CHILD_DEAD` The child has ended.
	 * @throws `ERR_NEARFAR_NAMESPACE_MISMATCH` The current task is in another pid namespace than this process.
	 * @see getpriority(2); no privilege
	 */
	override getpriority(): number {
		return this.#tracker.hold("getpriority", () => super.getpriority());
	}

	/**
	 * Moves it into a process group, as long as it has not executed a program.
	 *
	 * @param group - A child whose group it joins, whether that child leads the group or not. Default: a new group of its own.
	 * @throws `EACCES` The child has executed a program.
	 * @throws `EPERM` The group is of another session, or there is no such group.
	 * @throws `ESRCH` The child is not a child of the current task.
	 * @throws `ERR_NEARFAR_CHILD_DEAD` The child or `group` has ended.
	 * @throws `ERR_NEARFAR_BATCH` The child or `group` is still being cloned.
	 * @throws `TypeError` `group` is not a ChildProcess.
	 * @throws `ERR_NEARFAR_NAMESPACE_MISMATCH` The current task is in another pid namespace than this process.
	 * @see setpgid(2); no privilege
	 */
	setpgid(group?: ChildProcess): void {
		if (group !== undefined && !(group instanceof ChildProcess)) throw wrongType("group", "a ChildProcess", group);
		const move = (id: number) => this.#tracker.hold("setpgid", () => native().setpgid(pidForCurrentTask(this), id));
		if (!group) {
			move(0);
			return;
		}
		// This process is asked for the group, by the same pid: while a batch is collected, a task cannot be asked.
		const groupOf = () => nearTask().run(() => native().getpgid(pidForCurrentTask(group)));
		group.#tracker.hold("join the group of", () => move(groupOf()));
	}

	/**
	 * Waits for a state change. A death also ends a wait for a stop or a continuation.
	 *
	 * @param options - The states to wait for. Default: its end. Aborting `signal` ends the wait and nothing else.
	 * @returns The state change, which no other wait gets unless `nowait` is true.
	 * @throws `ERR_NEARFAR_CHILD_DEAD` The child's death was waited for before.
	 * @throws `ERR_NEARFAR_CHILD_BUSY` Another wait will reap the child.
	 * @throws `ECHILD` A stop or a continuation of a task's child: {@link ChildProcess.poll} asks that task instead.
	 * @throws `ABORT_ERR` `options.signal` was aborted. `error.cause` is the reason of the signal.
	 * @throws `ERR_NEARFAR_BATCH` The child is still being cloned.
	 * @throws `TypeError` An option has the wrong type, or no state is asked for.
	 * @example
	 * ```ts
	 * const child = (await Task.clone()).exec("sleep", ["sleep", "1000"]);
	 * const stopped = child.wait({ stopped: true });
	 * child.kill("SIGSTOP");
	 * console.log((await stopped).signal); // SIGSTOP
	 * await child[Symbol.asyncDispose]();
	 * ```
	 * @see waitid(2)
	 */
	async wait(options?: WaitOptions): Promise<ChildState> {
		const wanted = toWanted(options);
		throwIfAborted(wanted.signal);
		const tracker = this.#tracker;
		const { waiters } = tracker;
		tracker.assertCloned("wait for");
		const known = waiters.claim(wanted);
		if (known) return known;
		if (tracker.death) throw tracker.deadError("wait for");
		if (wanted.kinds.has("exited") && !wanted.nowait && waiters.reaping) {
			throw new ChildBusyError(
				`cannot wait for ${this}: another wait will reap it; use exited, or nowait`,
				tracker.command,
			);
		}
		if (wanted.kinds.has("stopped") || wanted.kinds.has("continued")) {
			tracker.named(
				() => native().watchStops(tracker.id),
				"the kernel reports that to the parent, a task: poll() asks the parent, unless it supervises",
			);
		}
		return tracker.nextState(wanted);
	}

	/**
	 * Asks for a state change that has happened already, and never waits (`WNOHANG`). Waits for the same state resolve too.
	 *
	 * @param options - The states to ask for. Default: its end.
	 * @returns The state, or `undefined` if there is none yet.
	 * @throws `ERR_NEARFAR_CHILD_DEAD` The child's death was waited for before.
	 * @throws `ECHILD` A stop or a continuation of the child of a task that supervises it, or is gone.
	 * @throws `ERR_NEARFAR_BATCH` The child is still being cloned.
	 * @throws `TypeError` An option has the wrong type, or no state is asked for.
	 * @example
	 * ```ts
	 * await using child = (await Task.clone()).exec("sleep", ["sleep", "1000"]);
	 * console.log(child.poll()); // undefined: it runs
	 * ```
	 * @see waitid(2)
	 */
	poll(options?: Omit<WaitOptions, "signal">): ChildState | undefined {
		const wanted = toAsked(options);
		const tracker = this.#tracker;
		const { waiters } = tracker;
		tracker.assertCloned("poll");
		dispatch();
		const known = waiters.claim(wanted);
		if (known) return known;
		if (tracker.death) throw tracker.deadError("poll");
		const bits = waitBits(wanted.kinds) | (wanted.nowait ? waitFlags.nowait : 0);
		const seen = tracker.named(() => native().pollChild(tracker.id, bits));
		dispatch();
		if (seen.length === 0) return waiters.claim(wanted);
		const state = toState(seen, this.pid);
		// The addon also posts an event for a death, and again for a state that was left with `nowait`.
		if (!wanted.nowait && stateKinds[state.state] !== "exited") tracker.changed(state);
		return waiters.claim(wanted) ?? state;
	}

	/**
	 * Resolves when it has exited with 0.
	 *
	 * @throws `ERR_NEARFAR_EXIT` The child exited with another code, or was killed by a signal.
	 * @example
	 * ```ts
	 * await (await Task.clone()).exec("true").check();
	 * ```
	 */
	async check(): Promise<void> {
		const status = await this.exited;
		if (status.code === 0) return;
		throw new ExitError(`${this} ${howItEnded(status)}`, status, this.command);
	}

	/** Makes waiting for it keep the event loop alive: the default. Returns the child. */
	ref(): this {
		this.#tracker.ref(true);
		return this;
	}

	/** Makes waiting for it not keep the event loop alive. Returns the child. */
	unref(): this {
		this.#tracker.ref(false);
		return this;
	}

	/**
	 * Kills it, if it still lives, and resolves when it was reaped.
	 *
	 * @throws `EPERM` The child has become another user's, and this process has no CAP_KILL.
	 */
	async [Symbol.asyncDispose](): Promise<void> {
		const tracker = this.#tracker;
		tracker.assertCloned("dispose of");
		if (!tracker.death) tracker.named(() => native().killChild(tracker.id, SIGKILL));
		await this.exited;
		this.#fd?.close();
	}

	/** Returns `"process 4711 (/bin/true)"`. */
	override toString(): string {
		const { command } = this;
		return `process ${this.pid}${command ? ` (${command.path})` : ""}`;
	}
}

/**
 * A child that was cloned with `share: ["vm"]`. The child shares the memory of the task that cloned it, until the child
 * executes a program or ends.
 *
 * The child's stack and other memory lie in one block that the creator has mapped. When the child executes a program or
 * dies, the creator, or another task with the same memory, unmaps the block exactly once, after the kernel has taken the
 * memory from the child. The child has no thread-local storage, and no `CLONE_CHILD_CLEARTID` word is written at its end:
 * the end of its channel or its pidfd reports it.
 *
 * @example
 * ```ts
 * await using creator = await Task.clone();
 * await using task = await creator.clone({ share: ["vm"] });
 * console.log(task.process instanceof ThreadProcess); // true
 * ```
 * @see clone(2) CLONE_VM
 */
export class ThreadProcess extends ChildProcess {}
