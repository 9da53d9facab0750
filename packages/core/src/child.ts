import type { Event } from "../native/binding.js";
import { options as checkOptions, optionalBoolean, wrongType, wrongValue } from "./arguments.ts";
import { FileDescriptor } from "./descriptor.ts";
import { ChildBusyError, ChildDeadError, ClosedError, ExitError } from "./errors.ts";
import { dispatch, forget, keepAlive, listen } from "./events.ts";
import type { Command } from "./exec.ts";
import { waitFlags } from "./flags.generated.ts";
import type { PidNamespace } from "./identity.ts";
import { native } from "./native.ts";
import { Process } from "./process.ts";
import { type Signal, signalName, signalNumber } from "./signal.ts";

/** How a process ended: one of `code` and `signal` is `null`, both where nobody could say. */
export interface ExitStatus {
	/** Exit code, 0 to 255. */
	code: number | null;
	/** The signal that killed it. */
	signal: Signal | null;
	/** Whether it left a core dump. */
	dumped: boolean;
}

/** One state change, as waitid(2) reports it. */
export interface ChildState {
	/** What happened. */
	state: "exited" | "killed" | "dumped" | "stopped" | "trapped" | "continued";
	/** Its pid. */
	pid: number;
	/** Its real user id. */
	uid: number;
	/** Exit code of one that exited. */
	code: number | null;
	/** The signal that killed, stopped or continued it. */
	signal: Signal | null;
}

/** Which state changes a wait is for. */
export interface WaitOptions {
	/** Its end. Default: true, unless another is asked for. */
	exited?: boolean;
	/** A stop by a signal. */
	stopped?: boolean;
	/** A continuation by SIGCONT. */
	continued?: boolean;
	/** Leaves the state to be waited for again. */
	nowait?: boolean;
	/** Ends the wait; the child goes on. */
	signal?: AbortSignal;
}

/** What a process used, with the names and units of Node's `process.resourceUsage()`. */
export type ResourceUsage = NodeJS.ResourceUsage;

type Kind = "exited" | "stopped" | "continued";

interface Waiter {
	readonly kinds: ReadonlySet<Kind>;
	readonly nowait: boolean;
	readonly resolve: (state: ChildState) => void;
}

const states = [undefined, "exited", "killed", "dumped", "trapped", "stopped", "continued"] as const;
const kinds = {
	exited: "exited",
	killed: "exited",
	dumped: "exited",
	trapped: "stopped",
	stopped: "stopped",
	continued: "continued",
} as const;

// Somebody waits for these: his promise alone would not keep them, and so himself, from being collected.
const awaitedChildren = new Set<ChildProcess>();

// Whoever is collected before his child has ended needs no events any more; the addon reaps all the same.
const unheard = new FinalizationRegistry((id: number) => {
	forget(id);
	native().forgetChild(id);
});

/** What the addon needs to know a child by. */
export interface ChildIdentity {
	readonly id: number;
	readonly pid: number;
	readonly namespace: PidNamespace;
	/** What to do when it has died, before anybody is told. */
	readonly died: (child: ChildProcess) => void;
}

/**
 * A child of this process, or of one of its tasks: its pid cannot be used again before its death was seen here.
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
	#fd: FileDescriptor | undefined;
	#command: Command | undefined;
	#supervisor: number | undefined;
	#death: ChildState | undefined;
	#usage: ResourceUsage | undefined;
	#exited: Promise<ExitStatus> | undefined;
	#exit: ((status: ExitStatus) => void) | undefined;
	#waiters: Waiter[] = [];
	#unclaimed: ChildState[] = [];
	#deathClaimed = false;
	#refed = true;
	#alive = false; // whether it keeps the event loop alive now

	/** Made by `Task.clone`, not by its users. */
	constructor({ id, pid, namespace, died }: ChildIdentity) {
		super(pid, namespace);
		this.#id = id;
		// The listener must not keep the object from being collected: it is looked up when something happens.
		const self = new WeakRef(this);
		listen(id, (event) => {
			const child = self.deref();
			if (child) child.#heard(event, died);
		});
		unheard.register(this, id, this);
	}

	/**
	 * Its pidfd, a descriptor of this process, made when it is first asked for. It stays open after death until it is
	 * closed or the object is disposed.
	 *
	 * @throws `ClosedError` it was first asked for after death · `EMFILE`
	 */
	get fd(): FileDescriptor {
		if (!this.#fd) {
			const number = native().childPidfd(this.#id);
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
		return this.#usage;
	}

	/** Resolves when it has ended: the same promise every time. Keeps the event loop alive while `ref`'d. */
	get exited(): Promise<ExitStatus> {
		if (!this.#exited) {
			this.#exited = new Promise((resolve) => {
				this.#exit = resolve;
			});
			if (this.#death) this.#exit?.(toExitStatus(this.#death));
		}
		this.#hold();
		return this.#exited;
	}

	/**
	 * Sends a signal through its pidfd: it cannot hit a stranger.
	 *
	 * @param signal - Default: `"SIGTERM"`; 0 sends nothing and only checks.
	 * @throws `ChildDeadError` it has ended · `EPERM` it has become another user's
	 * @see pidfd_send_signal(2), Linux 5.1
	 */
	override kill(signal: Signal = "SIGTERM"): void {
		const number = signalNumber(signal);
		this.#assertAlive("kill");
		if (!native().killChild(this.#id, number)) this.#goneWhile("kill");
	}

	/** Sends a signal to the process group whose id is its pid. Throws `ChildDeadError`, `ESRCH`, `EPERM`. See killpg(3). */
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

	/** The pid for a call of the current task. Throws `ChildDeadError`, `NamespaceMismatchError`. */
	override visiblePid(): number {
		this.#assertAlive("name");
		return super.visiblePid();
	}

	/**
	 * Moves it into a process group, as long as it has not exec'd.
	 *
	 * @param group - Whose group. Default: a new one, of its own.
	 * @throws `EACCES` it has exec'd · `EPERM` another session, or no such group · `ChildDeadError`
	 * @see setpgid(2); no privilege
	 */
	setpgid(group?: ChildProcess): void {
		if (group !== undefined && !(group instanceof ChildProcess)) throw wrongType("group", "a ChildProcess", group);
		this.#held("setpgid", () => native().setpgid(this.visiblePid(), group ? group.getpgid() : 0));
	}

	/**
	 * Waits for a state change.
	 *
	 * @param options - Which; default: its end. Aborting `signal` ends the wait and nothing else.
	 * @throws `ChildDeadError` its death was waited for before · `ChildBusyError` another wait will reap it
	 * @see waitid(2)
	 */
	async wait(options?: WaitOptions): Promise<ChildState> {
		const { wanted, nowait, signal } = this.#wanted(options);
		signal?.throwIfAborted();
		const known = this.#claim(wanted, nowait);
		if (known) return known;
		if (this.#death) throw this.#dead("wait");
		const reaps = wanted.has("exited") && !nowait;
		if (reaps && this.#waiters.some((waiter) => waiter.kinds.has("exited") && !waiter.nowait)) {
			throw new ChildBusyError(`cannot wait for ${this}: another wait will reap it; use exited, or nowait`);
		}
		if (wanted.has("stopped") || wanted.has("continued")) native().watchStops(this.#id);
		return new Promise<ChildState>((resolve, reject) => {
			const abort = () => {
				this.#waiters = this.#waiters.filter((other) => other !== waiter);
				this.#release();
				reject(signal?.reason);
			};
			const settle = (state: ChildState) => {
				signal?.removeEventListener("abort", abort);
				resolve(state);
			};
			const waiter: Waiter = { kinds: wanted, nowait, resolve: settle };
			this.#waiters.push(waiter);
			signal?.addEventListener("abort", abort, { once: true });
			this.#hold();
		});
	}

	/**
	 * Asks for a state change that has happened already, and never waits (`WNOHANG`).
	 *
	 * @returns The state, or `undefined` where there is none yet.
	 * @throws `ChildDeadError` its death was waited for before
	 * @see waitid(2)
	 */
	poll(options?: Omit<WaitOptions, "signal">): ChildState | undefined {
		const { wanted, nowait } = this.#wanted(options);
		dispatch();
		const known = this.#claim(wanted, nowait);
		if (known) return known;
		if (this.#death) throw this.#dead("poll");
		let bits = 0;
		for (const kind of wanted) bits |= waitFlags[kind];
		const seen = native().pollChild(this.#id, nowait ? bits | waitFlags.nowait : bits);
		dispatch();
		if (seen.length === 0) return this.#claim(wanted, nowait);
		return this.#claim(wanted, nowait) ?? this.#toState(seen);
	}

	/** Resolves when it has exited with 0. Rejects with `ExitError` when it ended in any other way. */
	async check(): Promise<void> {
		const status = await this.exited;
		if (status.code === 0) return;
		const how = status.signal === null ? `exited with ${status.code}` : `was killed by ${status.signal}`;
		throw new ExitError(`${this} ${how}`, status, this.#command);
	}

	/** Waiting for it keeps the event loop alive: the default. */
	ref(): this {
		this.#refed = true;
		this.#hold();
		return this;
	}

	/** Waiting for it does not keep the event loop alive. */
	unref(): this {
		this.#refed = false;
		this.#release();
		return this;
	}

	/** Kills it, if it still lives, and waits until nothing is left of it. */
	async [Symbol.asyncDispose](): Promise<void> {
		if (!this.#death) native().killChild(this.#id, 9);
		await this.exited;
		this.#fd?.close();
	}

	/** `"process 4711 (/bin/true)"`. */
	toString(): string {
		return `process ${this.pid}${this.#command ? ` (${this.#command.path})` : ""}`;
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
	static ending(child: ChildProcess): ExitStatus | undefined {
		dispatch();
		if (!child.#death) {
			native().awaitEnd(child.#id, 1000);
			dispatch();
		}
		return child.#death && toExitStatus(child.#death);
	}

	#wanted(options: WaitOptions | undefined): { wanted: Set<Kind>; nowait: boolean; signal: AbortSignal | undefined } {
		const { exited, stopped, continued, nowait, signal } = checkOptions(options);
		if (signal !== undefined && !(signal instanceof AbortSignal))
			throw wrongType("options.signal", "an AbortSignal", signal);
		const wanted = new Set<Kind>();
		if (optionalBoolean(stopped, "options.stopped")) wanted.add("stopped");
		if (optionalBoolean(continued, "options.continued")) wanted.add("continued");
		if (optionalBoolean(exited, "options.exited") ?? wanted.size === 0) wanted.add("exited");
		if (wanted.size === 0) throw wrongValue("options", "at least one of exited, stopped and continued", options);
		return { wanted, nowait: optionalBoolean(nowait, "options.nowait") ?? false, signal };
	}

	/** A state that has happened and that nobody has claimed. */
	#claim(wanted: ReadonlySet<Kind>, nowait: boolean): ChildState | undefined {
		const index = this.#unclaimed.findIndex((state) => wanted.has(kinds[state.state]));
		const state = this.#unclaimed[index];
		if (state) {
			if (!nowait) this.#unclaimed.splice(index, 1);
			return state;
		}
		if (!this.#death || this.#deathClaimed || !wanted.has("exited")) return undefined;
		this.#deathClaimed = !nowait;
		return this.#death;
	}

	#heard(event: Event, died: (child: ChildProcess) => void): void {
		const state = this.#toState(event.numbers);
		if (event.kind === "state") this.#changed(state);
		if (event.kind !== "death") return;
		this.#death = state;
		this.#usage = toUsage(event.numbers.slice(4));
		forget(this.#id);
		unheard.unregister(this);
		native().forgetChild(this.#id);
		if (this.#supervisor !== undefined) native().forgetTask(this.#supervisor);
		died(this);
		this.#changed(state);
		this.#exit?.(toExitStatus(state));
		this.#release();
	}

	#changed(state: ChildState): void {
		const kind = kinds[state.state];
		const told = this.#waiters.filter((waiter) => waiter.kinds.has(kind) || kind === "exited");
		this.#waiters = this.#waiters.filter((waiter) => !told.includes(waiter));
		const claimed = told.some((waiter) => waiter.kinds.has(kind) && !waiter.nowait);
		if (kind === "exited") this.#deathClaimed = claimed;
		else if (!claimed) this.#unclaimed = [...this.#unclaimed.filter((other) => kinds[other.state] !== kind), state];
		for (const waiter of told) waiter.resolve(state);
		this.#release();
	}

	#toState([code = 0, status = 0, pid = 0, uid = 0]: number[]): ChildState {
		const state = states[code] ?? "exited";
		const exited = state === "exited";
		const known = code !== 0;
		return {
			state,
			pid: this.pid || pid,
			uid,
			code: exited && known ? status : null,
			signal: exited ? null : signalName(status),
		};
	}

	/** Makes a call by pid. It is not reaped meanwhile: the pid cannot become a stranger's. */
	#held<T>(what: string, fn: () => T): T {
		this.#assertAlive(what);
		if (!native().holdChild(this.#id)) this.#goneWhile(what);
		try {
			return fn();
		} finally {
			native().releaseChild(this.#id);
		}
	}

	#assertAlive(what: string): void {
		if (this.#death) throw this.#dead(what);
	}

	#dead(what: string): ChildDeadError {
		const state = this.#death ?? this.#toState([]);
		const how = state.signal === null ? `exited with ${state.code}` : `was killed by ${state.signal}`;
		return new ChildDeadError(`cannot ${what} ${this}: it ${how}`, state);
	}

	#goneWhile(what: string): never {
		ChildProcess.ending(this);
		throw this.#dead(what);
	}

	#hold(): void {
		const awaited = this.#exited !== undefined || this.#waiters.length > 0;
		if (this.#death || !awaited) return;
		awaitedChildren.add(this);
		if (this.#alive || !this.#refed) return;
		this.#alive = true;
		keepAlive(1);
	}

	#release(): void {
		const awaited = !this.#death && (this.#exited !== undefined || this.#waiters.length > 0);
		if (!awaited) awaitedChildren.delete(this);
		if (!this.#alive || (awaited && this.#refed)) return;
		this.#alive = false;
		keepAlive(-1);
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
 * @see clone(2) CLONE_VM
 */
export class ThreadProcess extends ChildProcess {}

function toExitStatus({ state, code, signal }: ChildState): ExitStatus {
	return { code, signal, dumped: state === "dumped" };
}

const usageNames = [
	"userCPUTime",
	"systemCPUTime",
	"maxRSS",
	"sharedMemorySize",
	"unsharedDataSize",
	"unsharedStackSize",
	"minorPageFault",
	"majorPageFault",
	"swappedOut",
	"fsRead",
	"fsWrite",
	"ipcSent",
	"ipcReceived",
	"signalsCount",
	"voluntaryContextSwitches",
	"involuntaryContextSwitches",
] as const;

function toUsage(numbers: number[]): ResourceUsage | undefined {
	if (numbers.length === 0) return undefined;
	return Object.fromEntries(usageNames.map((name, index) => [name, numbers[index] ?? 0])) as unknown as ResourceUsage;
}
