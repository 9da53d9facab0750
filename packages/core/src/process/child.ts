import type { Event } from "../../native/binding.js";
import { forget, listen } from "../addon/events.ts";
import { waitFlags } from "../addon/flags.generated.ts";
import { dispatch, native } from "../addon/native.ts";
import { wrongType } from "../arguments.ts";
import { BatchError, ChildBusyError, ChildDeadError, ClosedError, ExitError, SyscallError } from "../errors.ts";
import { FileDescriptor } from "../files/descriptor.ts";
import type { PidNamespace } from "../identity.ts";
import { currentBatch, nearTask } from "../target/target.ts";
import type { Command } from "../task/exec.ts";
import { Awaited } from "./awaited.ts";
import {
	type ChildState,
	type ExitStatus,
	howItEnded,
	type ResourceUsage,
	stateKinds,
	toExitStatus,
	toState,
	toUsage,
} from "./child-state.ts";
import { Process } from "./process.ts";
import { type Signal, signalNumber } from "./signal.ts";
import { toWanted, Waiters, type WaitOptions, waitBits } from "./waiters.ts";

const SIGKILL = 9;

// Whoever is collected before his child has ended needs no events any more; the addon reaps all the same.
const unheard = new FinalizationRegistry(({ id, pid }: { id: number; pid: number }) => {
	forget(id);
	native().forgetChild(id);
	if (!livingChildren.get(pid)?.deref()) livingChildren.delete(pid);
});

// By pid as this process sees it, until it is known here that they have ended.
const livingChildren = new Map<number, WeakRef<ChildProcess>>();

/**
 * A child of this process, or of one of its tasks: its pid cannot be used again before its death was seen here, unless a
 * supervisor or a program is its parent by now, which reaps it when it likes.
 *
 * @example
 * ```ts
 * const task = await Task.clone();
 * const child = task.exec("/bin/sh", ["sh", "-c", "exit 7"]);
 * console.log(await child.exited); // { code: 7, signal: null, dumped: false }
 * ```
 */
export class ChildProcess extends Process implements AsyncDisposable {
	readonly #id: number;
	#cloned = false;
	#fd: FileDescriptor | undefined;
	#command: Command | undefined;
	#supervisor: number | undefined;
	#death: ChildState | undefined;
	/** In the addon's numbers: mostly nobody asks. */
	#usage: number[] = [];
	#exited: Promise<ExitStatus> | undefined;
	#exit: ((status: ExitStatus) => void) | undefined;
	readonly #waiters = new Waiters();
	readonly #awaited = new Awaited(this, () => !this.#death && (this.#exited !== undefined || this.#waiters.any));

	/** Made by `Task.clone`, not by its users. */
	constructor(id: number, namespace: PidNamespace) {
		super(0, namespace);
		this.#id = id;
	}

	/**
	 * Its pidfd, a descriptor of this process, made when it is first asked for, and again after it was closed. It stays
	 * open after death until it is closed or the object is disposed.
	 *
	 * @throws `ClosedError` it was first asked for after death · `EMFILE`
	 */
	get fd(): FileDescriptor {
		this.#assertCloned("open the pidfd of");
		if (!this.#fd || (this.#fd.closed && !this.#death)) {
			const number = this.#named(() => native().childPidfd(this.#id));
			if (number < 0) throw new ClosedError(`${this} has ended, and its pidfd was not asked for before`);
			this.#fd = FileDescriptor.from(number);
		}
		return this.#fd;
	}

	/** What it exec'd. */
	get command(): Command | undefined {
		return this.#command;
	}

	/** How it ended; `undefined` while it lives. Remembered for ever. */
	get death(): ChildState | undefined {
		return this.#death;
	}

	/** What it used, known after its death: times in microseconds, `maxRSS` in kilobytes. */
	get resourceUsage(): ResourceUsage | undefined {
		return toUsage(this.#usage);
	}

	/** Resolves when it has ended: the same promise every time. Keeps the event loop alive while `ref`'d. */
	get exited(): Promise<ExitStatus> {
		if (!this.#exited) {
			this.#exited = new Promise((resolve) => {
				this.#exit = resolve;
			});
			if (this.#death) this.#exit?.(toExitStatus(this.#death));
		}
		this.#awaited.update();
		return this.#exited;
	}

	/**
	 * Sends a signal through its pidfd: it cannot hit a stranger. At once, also while a batch is collected.
	 *
	 * @param signal - Default: `"SIGTERM"`; 0 sends nothing and only checks.
	 * @throws `ChildDeadError` it has ended · `EPERM` it has become another user's
	 * @see pidfd_send_signal(2), Linux 5.1
	 */
	override kill(signal: Signal = "SIGTERM"): void {
		const number = signalNumber(signal);
		this.#assertAlive("kill");
		if (!this.#named(() => native().killChild(this.#id, number))) this.#goneWhile("kill");
	}

	/**
	 * Sends a signal to the process group whose id is its pid, from the current task.
	 *
	 * @param signal - Default: `"SIGTERM"`.
	 * @throws `ChildDeadError` it has ended, whoever else is in its group · `ESRCH` no such group · `EPERM` none of it may
	 * be signalled · `NamespaceMismatchError`
	 * @see killpg(3)
	 */
	override killpg(signal: Signal = "SIGTERM"): void {
		this.#held("killpg", () => super.killpg(signal));
	}

	/** Returns the id of its process group. Throws `ChildDeadError`. See getpgid(2). */
	override getpgid(): number {
		return this.#held("getpgid", () => super.getpgid());
	}

	/** Sets its nice value, -20 to 19. Throws `ChildDeadError`, `EACCES`. See setpriority(2). */
	override setpriority(nice: number): void {
		this.#held("setpriority", () => super.setpriority(nice));
	}

	/** Returns its nice value. Throws `ChildDeadError`. See getpriority(2). */
	override getpriority(): number {
		return this.#held("getpriority", () => super.getpriority());
	}

	/**
	 * The pid for a call of the current task; in a batch it stays its own until that has run.
	 *
	 * @throws `ChildDeadError` · `NamespaceMismatchError`
	 */
	override visiblePid(): number {
		return this.#held("name", () => super.visiblePid());
	}

	/**
	 * Moves it into a process group, as long as it has not exec'd.
	 *
	 * @param group - The group of this child, whether it leads it or not. Default: a new one, of its own.
	 * @throws `EACCES` it has exec'd · `EPERM` another session, or no such group · `ESRCH` not a child of the current task
	 * · `ChildDeadError` either of them
	 * @see setpgid(2); no privilege
	 */
	setpgid(group?: ChildProcess): void {
		if (group !== undefined && !(group instanceof ChildProcess)) throw wrongType("group", "a ChildProcess", group);
		const move = (id: number) => this.#held("setpgid", () => native().setpgid(this.visiblePid(), id));
		if (!group) move(0);
		// Asked for in this process, which knows it by the same pid: in a batch nothing can be asked.
		else group.#held("join the group of", () => move(nearTask().run(() => native().getpgid(group.visiblePid()))));
	}

	/**
	 * Waits for a state change. A wait for a stop or a continuation is ended by a death, too.
	 *
	 * @param options - Which; default: its end. Aborting `signal` ends the wait and nothing else.
	 * @throws `ChildDeadError` its death was waited for before · `ChildBusyError` another wait will reap it · `ECHILD` a
	 * stop or a continuation of a task's child: only that task can be asked, with {@link ChildProcess.poll} · `AbortError`
	 * @see waitid(2)
	 */
	async wait(options?: WaitOptions): Promise<ChildState> {
		const wanted = toWanted(options);
		wanted.signal?.throwIfAborted();
		this.#assertCloned("wait for");
		const known = this.#waiters.claim(wanted);
		if (known) return known;
		if (this.#death) throw this.#dead("wait for");
		if (wanted.kinds.has("exited") && !wanted.nowait && this.#waiters.reaping) {
			throw new ChildBusyError(
				`cannot wait for ${this}: another wait will reap it; use exited, or nowait`,
				this.#command,
			);
		}
		if (wanted.kinds.has("stopped") || wanted.kinds.has("continued")) {
			this.#named(
				() => native().watchStops(this.#id),
				"its parent, a task, hears of that: poll() asks it, unless it supervises",
			);
		}
		const state = this.#waiters.wait(wanted, () => this.#awaited.update());
		this.#awaited.update();
		return state;
	}

	/**
	 * Asks for a state change that has happened already, and never waits (`WNOHANG`). Whoever waits for the same state
	 * hears of it too.
	 *
	 * @returns The state, or `undefined` where there is none yet.
	 * @throws `ChildDeadError` its death was waited for before · `ECHILD` a stop or a continuation of the child of a task
	 * that supervises it, or is gone
	 * @see waitid(2)
	 */
	poll(options?: Omit<WaitOptions, "signal">): ChildState | undefined {
		const wanted = toWanted(options);
		this.#assertCloned("poll");
		dispatch();
		const known = this.#waiters.claim(wanted);
		if (known) return known;
		if (this.#death) throw this.#dead("poll");
		const bits = waitBits(wanted.kinds) | (wanted.nowait ? waitFlags.nowait : 0);
		const seen = this.#named(() => native().pollChild(this.#id, bits));
		dispatch();
		if (seen.length === 0) return this.#waiters.claim(wanted);
		const state = toState(seen, this.pid);
		// A death comes as an event too, and what was left alone is still to come.
		if (!wanted.nowait && stateKinds[state.state] !== "exited") this.#changed(state);
		return this.#waiters.claim(wanted) ?? state;
	}

	/** Resolves when it has exited with 0. Rejects with `ExitError` when it ended in any other way. */
	async check(): Promise<void> {
		const status = await this.exited;
		if (status.code === 0) return;
		throw new ExitError(`${this} ${howItEnded(status)}`, status, this.#command);
	}

	/** Waiting for it keeps the event loop alive: the default. */
	ref(): this {
		this.#awaited.ref(true);
		return this;
	}

	/** Waiting for it does not keep the event loop alive. */
	unref(): this {
		this.#awaited.ref(false);
		return this;
	}

	/** Kills it, if it still lives, and waits until nothing is left of it. Throws `EPERM`: it has become another user's. */
	async [Symbol.asyncDispose](): Promise<void> {
		this.#assertCloned("dispose of");
		if (!this.#death) this.#named(() => native().killChild(this.#id, SIGKILL));
		await this.exited;
		this.#fd?.close();
	}

	/** `"process 4711 (/bin/true)"`. */
	override toString(): string {
		return `process ${this.pid}${this.#command ? ` (${this.#command.path})` : ""}`;
	}

	/** The child with this pid, as this process sees it, that is not known to have ended. */
	static living(pid: number): ChildProcess | undefined {
		return livingChildren.get(pid)?.deref();
	}

	/**
	 * A child that was made before it was cloned is there now.
	 *
	 * @param died - What to do when it has died, before anybody is told.
	 */
	static appeared(child: ChildProcess, pid: number, died: () => void): void {
		const id = child.#id;
		Process.cloned(child, pid);
		child.#cloned = true;
		// The listener must not keep the object from being collected: it is looked up when something happens.
		const self = new WeakRef(child);
		listen(id, (event) => {
			const heard = self.deref();
			if (heard) heard.#heard(event, died);
		});
		unheard.register(child, { id, pid }, child);
		if (pid !== 0) livingChildren.set(pid, self);
	}

	/** A child that was made before it was cloned could not be: whoever waits for it hears that it is no more. */
	static failed(child: ChildProcess): void {
		child.#cloned = true;
		child.#died(toState([], 0));
	}

	/** Refuses a child that is still being cloned. */
	static assertCloned(child: ChildProcess, what: string): void {
		child.#assertCloned(what);
	}

	/** Remembers what a child executes. */
	static executes(child: ChildProcess, command: Command): void {
		child.#command = command;
	}

	/** Its parent, a task, supervises it from now on; after its death nobody needs that any more. */
	static supervised(child: ChildProcess, task: number, forward: boolean): void {
		child.#assertAlive("supervise");
		native().supervise(task, child.#id, forward);
		child.#supervisor = task;
	}

	/** Makes a call by the pid of a child, which cannot become a stranger's meanwhile. */
	static held<T>(child: ChildProcess, what: string, fn: () => T): T {
		return child.#held(what, fn);
	}

	/** Waits, up to a second, for the end of a child that is ending; returns how it ended. */
	static ending(child: ChildProcess, milliseconds = 1000): ExitStatus | undefined {
		dispatch();
		if (!child.#death) {
			native().awaitEnd(child.#id, milliseconds);
			dispatch();
		}
		return child.#death && toExitStatus(child.#death);
	}

	#heard(event: Event, died: () => void): void {
		const state = toState(event.numbers, this.pid);
		if (event.kind === "state") this.#changed(state);
		if (event.kind !== "death") return;
		this.#usage = event.numbers.slice(4);
		forget(this.#id);
		if (livingChildren.get(this.pid)?.deref() === this) livingChildren.delete(this.pid);
		unheard.unregister(this);
		native().forgetChild(this.#id);
		if (this.#supervisor !== undefined) native().forgetTask(this.#supervisor);
		this.#died(state, died);
	}

	#died(state: ChildState, died = () => {}): void {
		this.#death = state;
		died();
		this.#changed(state);
		this.#exit?.(toExitStatus(state));
		this.#awaited.update();
	}

	#changed(state: ChildState): void {
		this.#waiters.changed(state);
		this.#awaited.update();
	}

	/** Makes a call by pid. It is not reaped meanwhile, nor before a batch has run: the pid cannot become a stranger's. */
	#held<T>(what: string, fn: () => T): T {
		this.#assertAlive(what);
		if (!native().holdChild(this.#id)) this.#goneWhile(what);
		const release = () => native().releaseChild(this.#id);
		const batch = currentBatch();
		try {
			return this.#named(fn);
		} finally {
			if (batch) batch.settle.push(release);
			else release();
		}
	}

	/** What the kernel refuses about it is refused about what it executes. */
	#named<T>(fn: () => T, hint?: string): T {
		try {
			return fn();
		} catch (error) {
			if (!(error instanceof SyscallError)) throw error;
			const { code, errno, syscall, task } = error;
			const message = error.message.slice(code.length + 2, error.message.lastIndexOf(", "));
			throw new SyscallError(
				{ code, errno: -errno, syscall, message, of: `${this}` },
				{
					...(task !== undefined && { task }),
					...(this.#command && { command: this.#command }),
					...(hint !== undefined && code === "ECHILD" && { hint }),
				},
			);
		}
	}

	#assertCloned(what: string): void {
		if (this.#cloned) return;
		throw new BatchError(`cannot ${what} a task that is still being cloned: do it when clone has resolved`);
	}

	#assertAlive(what: string): void {
		this.#assertCloned(what);
		if (this.#death) throw this.#dead(what);
	}

	#dead(what: string): ChildDeadError {
		const state = this.#death ?? toState([], this.pid);
		return new ChildDeadError(`cannot ${what} ${this}: it ${howItEnded(state)}`, state, this.#command);
	}

	#goneWhile(what: string): never {
		ChildProcess.ending(this);
		throw this.#dead(what);
	}
}

/**
 * A child that was cloned with `share: ["vm"]`: it shares the memory of the task that cloned it, until it executes a
 * program or ends.
 *
 * Its stack, and all that it remembers beside, lies in one block that its creator has mapped for it. That is given back
 * exactly once, by its creator or another task with the same memory: at exec or at death, when the kernel has taken the
 * memory from it. It has no thread-local storage, and no word is written at its end (`CLONE_CHILD_CLEARTID`): the end of its
 * channel or its pidfd tells.
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
