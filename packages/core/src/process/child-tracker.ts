import type { Event } from "../../native/binding.js";
import { forget, listen } from "../addon/events.ts";
import { dispatch, native } from "../addon/native.ts";
import { BatchError, ChildDeadError } from "../errors.ts";
import { SyscallError } from "../syscall-error.ts";
import { type AnyTask, currentBatch, withSubject } from "../target/target.ts";
import type { Command } from "../task/exec-options.ts";
import { Awaited } from "./awaited.ts";
import type { ChildProcess } from "./child.ts";
import { type ChildState, type ExitStatus, howItEnded, toExitStatus, toState } from "./child-state.ts";
import { type Process, pidForCurrentTask, setPid } from "./process.ts";
import { Waiters } from "./waiters.ts";

const ECHILD = 10;

const trackers = new WeakMap<Process, ChildTracker>();

// The children that are not known to have ended, by their pids as this process sees them.
const livingChildren = new Map<number, WeakRef<ChildProcess>>();

// A child that is collected before it has ended needs no events any more. The addon reaps it all the same.
const collected = new FinalizationRegistry(({ id, pid }: { id: number; pid: number }) => {
	forget(id);
	native().forgetChild(id);
	if (!livingChildren.get(pid)?.deref()) livingChildren.delete(pid);
});

/** Follows one child from its clone to its death: the half of a `ChildProcess` that its users do not see. */
export class ChildTracker {
	/** The addon's number for the child. */
	readonly id: number;
	command: Command | undefined;
	/** How the child ended. */
	death: ChildState | undefined;
	/** The resources that the child has used, in the addon's numbers: the getter converts the numbers. */
	usage: number[] = [];
	readonly waiters = new Waiters();
	/** The child as a task. The tracker does not keep the task from being collected. */
	task: WeakRef<AnyTask> | undefined;
	/** The task that has cloned the child. `undefined`: this process has. */
	cloner: WeakRef<AnyTask> | undefined;
	readonly #child: ChildProcess;
	readonly #awaited: Awaited;
	#cloned = false;
	/** The addon's number for the task that is the child's parent; 0: this process is the parent. */
	#parent = 0;
	/** The addon's number for the task that supervises the child. */
	#supervisor: number | undefined;
	#exited: Promise<ExitStatus> | undefined;
	#resolveExited: ((status: ExitStatus) => void) | undefined;

	/**
	 * @param child - The child, which is still being cloned.
	 * @param id - The addon's number for it.
	 */
	constructor(child: ChildProcess, id: number) {
		this.#child = child;
		this.id = id;
		this.#awaited = new Awaited(child, () => !this.death && (this.#exited !== undefined || this.waiters.any));
		trackers.set(child, this);
	}

	/** Resolves when the child has ended: the same promise every time. */
	exited(): Promise<ExitStatus> {
		if (!this.#exited) {
			this.#exited = new Promise((resolve) => {
				this.#resolveExited = resolve;
			});
			if (this.death) this.#resolveExited?.(toExitStatus(this.death));
		}
		this.#awaited.update();
		return this.#exited;
	}

	/** Resolves with the next state that is wanted, or with the death. */
	nextState(wanted: Parameters<Waiters["wait"]>[0]): Promise<ChildState> {
		const state = this.waiters.wait(wanted, () => this.#awaited.update());
		this.#awaited.update();
		return state;
	}

	/** Chooses whether waiting for the child keeps the event loop alive. */
	ref(refed: boolean): void {
		this.#awaited.ref(refed);
	}

	/**
	 * Notes that the clone has succeeded.
	 *
	 * @param pid - The child's pid as this process sees it.
	 * @param parent - The addon's number for the task that is the child's parent; 0: this process is the parent.
	 * @param died - Called when the child has died, before any promise resolves.
	 */
	appeared(pid: number, parent: number, died: () => void): void {
		const { id } = this;
		this.#parent = parent;
		setPid(this.#child, pid);
		this.#cloned = true;
		// The listener must not keep the child from being collected. The tracker lives as long as the child does.
		const child = new WeakRef(this.#child);
		listen(id, (event) => {
			const living = child.deref();
			if (living) trackerOf(living).#handleEvent(event, died);
		});
		collected.register(this.#child, { id, pid }, this.#child);
		if (pid !== 0) livingChildren.set(pid, child);
	}

	/** Notes that the clone has failed: promises about the child resolve as if it had died. */
	failed(): void {
		this.#cloned = true;
		this.#handleDeath(toState([], 0));
	}

	/**
	 * Makes the task that is the child's parent its supervisor.
	 *
	 * @param task - The addon's number for the task.
	 * @param forward - Whether the supervisor forwards signals to the child.
	 * @param endStopped - Whether the supervisor ends a child that is stopped.
	 * @param keep - The descriptors that the supervisor keeps open.
	 * @param init - Whether the task was cloned as process 1 of a pid namespace.
	 * @param dumpable - Whether processes of the same user may look into the supervisor.
	 */
	supervise(
		task: number,
		forward: boolean,
		endStopped: boolean,
		keep: number[],
		init: boolean,
		dumpable: boolean,
	): void {
		native().supervise(task, this.id, forward, endStopped, keep, init, dumpable);
		if (this.death)
			native().forgetTask(task); // the reactor keeps the channel until the supervisor has replied
		else this.#supervisor = task;
	}

	/** Hands a state to the waits for it. */
	changed(state: ChildState): void {
		this.waiters.changed(state);
		this.#awaited.update();
	}

	/**
	 * Makes a call by pid. The child is not reaped during the call, or before a batch that holds the call has ended. So the pid
	 * cannot become a stranger's.
	 *
	 * @param what - What `fn` does to the child, for error messages.
	 */
	hold<T>(what: string, fn: () => T): T {
		this.assertAlive(what);
		if (!native().holdChild(this.id)) this.throwGone(what);
		try {
			return this.#releaseAfter(() => this.named(fn));
		} catch (error) {
			// A child whose parent has ended is reaped by another process, perhaps right before the call.
			if (error instanceof SyscallError && error.code === "ESRCH" && this.#hasEnded()) this.throwGone(what);
			throw error;
		}
	}

	/** Calls `fn`, and then lets the held child be reaped, in a batch when the batch has ended. */
	#releaseAfter<T>(fn: () => T): T {
		const release = () => native().releaseChild(this.id);
		const batch = currentBatch();
		try {
			return fn();
		} finally {
			if (batch) batch.whenEnded.push(release);
			else release();
		}
	}

	/** Returns whether the child has ended. A child that runs is held for a moment. */
	#hasEnded(): boolean {
		const held = native().holdChild(this.id);
		if (held) native().releaseChild(this.id);
		return !held;
	}

	/**
	 * Calls `fn`. An error of the kernel then names the child, and has its command.
	 *
	 * @param fn - Makes the calls.
	 * @param hint - For ECHILD: the obstacle, in words.
	 */
	named<T>(fn: () => T, hint?: string): T {
		return withSubject({ process: this.#child, command: this.command, hint }, fn);
	}

	/** Refuses a child that is still being cloned. */
	assertCloned(what: string): void {
		if (this.#cloned) return;
		throw new BatchError(`cannot ${what} a task that is still being cloned: wait until clone has resolved`);
	}

	/** Refuses a child that is still being cloned, or that another task than the one with this number has cloned. */
	assertChildOf(task: number): void {
		this.assertCloned("supervise");
		if (this.#parent === task) return;
		const words = "the program is no child of the task that was asked to supervise";
		throw new SyscallError({ code: "ECHILD", errno: ECHILD, syscall: "waitid", words });
	}

	/** Refuses a child that is still being cloned, or is known to have died. */
	assertAlive(what: string): void {
		this.assertCloned(what);
		if (this.death) throw this.deadError(what);
	}

	/** Returns the error for a child that has died. */
	deadError(what: string): ChildDeadError {
		const state = this.death ?? toState([], this.#child.pid);
		return new ChildDeadError(`cannot ${what} ${this.#child}: it ${howItEnded(state)}`, state, this.command);
	}

	/** Throws for a child that the addon knows to have died. Waits for the event that says how. */
	throwGone(what: string): never {
		this.awaitEnd();
		throw this.deadError(what);
	}

	/** Waits up to a second for the event of a child that has ended. Returns how it ended, and at once if it runs. */
	awaitEndIfEnded(): ExitStatus | undefined {
		return this.death || native().hasEnded(this.id) ? this.awaitEnd() : undefined;
	}

	/** Waits up to a second for the end of a child that is ending. Returns how it ended. */
	awaitEnd(): ExitStatus | undefined {
		dispatch();
		if (!this.death) {
			native().awaitEnd(this.id, 1000);
			dispatch();
		}
		return this.death && toExitStatus(this.death);
	}

	#handleEvent(event: Event, died: () => void): void {
		const child = this.#child;
		const state = toState(event.numbers, child.pid);
		if (event.kind === "state") this.changed(state);
		if (event.kind !== "death") return;
		this.usage = event.numbers.slice(4);
		forget(this.id);
		if (livingChildren.get(child.pid)?.deref() === child) livingChildren.delete(child.pid);
		collected.unregister(child);
		native().forgetChild(this.id);
		if (this.#supervisor !== undefined) native().forgetTask(this.#supervisor);
		this.#handleDeath(state, died);
	}

	#handleDeath(state: ChildState, died = () => {}): void {
		this.death = state;
		died();
		this.changed(state);
		this.#resolveExited?.(toExitStatus(state));
		this.#awaited.update();
	}
}

/** Returns the tracker of a child. */
export function trackerOf(child: ChildProcess): ChildTracker {
	return trackers.get(child) as ChildTracker; // the constructor of a child makes its tracker
}

/** Returns the child that has a pid, as this process sees it, and is not known to have ended. */
export function livingChild(pid: number): ChildProcess | undefined {
	return livingChildren.get(pid)?.deref();
}

/**
 * Makes a call by the pid of a child, which cannot become a stranger's meanwhile.
 *
 * @param what - What `fn` does to the child, for error messages.
 */
export function holdChild<T>(child: ChildProcess, what: string, fn: () => T): T {
	return trackerOf(child).hold(what, fn);
}

/**
 * Returns the pid of any process for a call of the current task. The pid of a child is its own until the batch that is
 * being collected has ended.
 */
export function visiblePid(process: Process): number {
	const tracker = trackers.get(process);
	return tracker ? tracker.hold("name", () => pidForCurrentTask(process)) : pidForCurrentTask(process);
}
