import { throwIfAborted } from "../abortable.ts";
import { NearfarError } from "../errors.ts";
import { SyscallError } from "../syscall-error.ts";
import type { CloneOptions } from "../task/clone-options.ts";
import { Task } from "../task/task.ts";
import type { Answer } from "./features.ts";

/** Milliseconds after which a step counts as hung. A step takes less than one; a loaded machine takes longer. */
const PATIENCE = 5000;

/** How often, and for how many milliseconds, an attempt waits for the end of a namespace of an attempt before. */
const [WAITS, WAIT] = [50, 10];

/** Calls that one step makes in a task. The task collects them as a batch. */
export type Step = (task: Task) => void;

/** The throw-away tasks of one probe. */
export class Tasks {
	/** Ends the probe. */
	readonly signal: AbortSignal | undefined;
	readonly #live = new Set<Task>();
	readonly #cloning = new Set<Promise<Task>>();
	readonly #abort = () => void this.end();
	#waits = 0; // that all attempts together have left

	/** @param signal - Ends all tasks when it is aborted, whatever they do. */
	constructor(signal: AbortSignal | undefined) {
		this.signal = signal;
		signal?.addEventListener("abort", this.#abort, { once: true });
	}

	/** Throws an `AbortError` if the signal was aborted. */
	throwIfAborted(): void {
		throwIfAborted(this.signal);
	}

	/**
	 * From now on an attempt that finds a limit on namespaces reached is made again. The kernel counts a namespace for some
	 * milliseconds after the end of its last process, which may be the one of the attempt before.
	 */
	beginToWait(): void {
		this.#waits = WAITS;
	}

	/** Waits, and returns true, where an attempt that got this answer has to be made again. */
	async waited({ code }: { code?: string | undefined }): Promise<boolean> {
		if (code !== "ENOSPC" || this.#waits === 0) return false;
		this.#waits--;
		await new Promise((resolve) => setTimeout(resolve, WAIT));
		return true;
	}

	/** Clones a task. Rejects with the error of the clone, or with `ETIMEDOUT` if the clone hangs. */
	async clone(options: CloneOptions = {}): Promise<Task> {
		this.throwIfAborted();
		const late = new AbortController();
		const timer = setTimeout(() => late.abort(), PATIENCE);
		const signals = [late.signal, ...(this.signal ? [this.signal] : [])];
		const cloning = Task.clone({ ...options, signal: AbortSignal.any(signals) });
		this.#cloning.add(cloning);
		try {
			const task = await cloning;
			this.#live.add(task);
			return task;
		} catch (error) {
			this.throwIfAborted();
			if (!late.signal.aborted) throw error;
			throw new SyscallError({ code: "ETIMEDOUT", errno: 110, syscall: "clone" });
		} finally {
			clearTimeout(timer);
			this.#cloning.delete(cloning);
		}
	}

	/** Collects the calls of a step in a task, and returns what came of them. Ends the task if the step hangs. */
	async attempt(task: Task, syscall: string, step: Step): Promise<Answer & { killed?: boolean }> {
		let hung = false;
		const timer = setTimeout(() => {
			hung = true;
			void task[Symbol.asyncDispose]();
		}, PATIENCE);
		try {
			await task.batch(() => step(task));
			return { works: true };
		} catch (error) {
			this.throwIfAborted();
			const answer = refused(error, syscall);
			if (error instanceof SyscallError) return answer;
			if (hung) return { works: false, code: "ETIMEDOUT", syscall, killed: true };
			const { signal } = await task.process.exited;
			return { works: false, code: `${signal ?? "SIGKILL"}`, syscall, killed: true };
		} finally {
			clearTimeout(timer);
		}
	}

	/** Ends one task. */
	async endOne(task: Task): Promise<void> {
		await task[Symbol.asyncDispose]();
		this.#live.delete(task);
	}

	/** Ends all tasks. Resolves when they are gone, also those that are being cloned. */
	async end(): Promise<void> {
		while (this.#cloning.size + this.#live.size > 0) {
			await Promise.allSettled(this.#cloning);
			await Promise.all([...this.#live].map((task) => this.endOne(task)));
		}
	}

	/** Ends all tasks, and listens to the signal no more. Throws an `AbortError` if the signal was aborted. */
	async finish(): Promise<void> {
		this.signal?.removeEventListener("abort", this.#abort);
		await this.end();
		this.throwIfAborted();
	}
}

/** A task that makes one step after the other. If a step kills the task, another task makes the next one. */
export class Worker {
	readonly #tasks: Tasks;
	readonly #options: CloneOptions;
	#task: Task | undefined;
	/** The message of the error with which the clone of the task was refused. */
	message: string | undefined;

	/** @param options - How each task is cloned. */
	constructor(tasks: Tasks, options: CloneOptions = {}) {
		this.#tasks = tasks;
		this.#options = options;
	}

	/** Clones the task, unless it lives. Returns whether that works. */
	async start(): Promise<Answer> {
		if (this.#task?.state === "live") return { works: true };
		try {
			this.#task = await this.#tasks.clone(this.#options);
			return { works: true };
		} catch (error) {
			const answer = refused(error, "clone");
			if (await this.#tasks.waited(answer)) return this.start();
			this.message = (error as Error).message;
			return answer;
		}
	}

	/** The task of the last step. */
	get task(): Task | undefined {
		return this.#task;
	}

	/**
	 * Makes a step. A task that something else than the step has killed is replaced once.
	 *
	 * @param syscall - The name of the call that the step is about, for calls by number.
	 * @param step - Makes the calls.
	 */
	async attempt(syscall: string, step: Step): Promise<Answer> {
		for (let again = true; ; again = false) {
			const started = await this.start();
			if (!started.works || !this.#task) return { works: undefined };
			const { killed, ...answer } = await this.#tasks.attempt(this.#task, syscall, step);
			const isOver = !killed || answer.code === "SIGSYS" || answer.code === "ETIMEDOUT";
			if (killed) this.#task = undefined;
			if (await this.#tasks.waited(answer)) return this.attempt(syscall, step);
			if (isOver || !again) return answer;
		}
	}

	/** Ends the task. */
	async end(): Promise<void> {
		if (this.#task) await this.#tasks.endOne(this.#task);
		this.#task = undefined;
	}
}

/**
 * Returns the answer for an error of a call. Throws any other error again.
 *
 * @param syscall - The name of the call, where the error does not know it.
 */
export function refused(error: unknown, syscall: string): Answer {
	if (error instanceof SyscallError) {
		const name = error.syscall === "syscall" ? syscall : error.syscall;
		return { works: false, code: error.code, syscall: name };
	}
	if (error instanceof NearfarError) return { works: false, code: error.code, syscall };
	throw error;
}
