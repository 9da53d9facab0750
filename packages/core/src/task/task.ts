import { native, setMakeError } from "../addon/native.ts";
import {
	options as checkOptions,
	descriptorNumber,
	integer,
	optionalBoolean,
	wrongType,
	wrongValue,
} from "../arguments.ts";
import { BatchError, NearfarError } from "../errors.ts";
import { adoptCopy, type FileDescriptor, numberOf } from "../files/descriptor.ts";
import { invalidateHandles } from "../files/handle.ts";
import type { PathLike } from "../files/path.ts";
import { type AddressSpace, type FDTable, PidNamespace } from "../identity.ts";
import { ChildProcess } from "../process/child.ts";
import type { ExitStatus } from "../process/child-state.ts";
import { trackerOf } from "../process/child-tracker.ts";
import { Process } from "../process/process.ts";
import type { Signal } from "../process/signal.ts";
import { makeError } from "../target/make-error.ts";
import { type AnyTask, currentBatch, currentTask, provideTaskControl, withTarget } from "../target/target.ts";
import { refusePromise, runBatch } from "./batch.ts";
import { channelOf, channelsToSpare, refuseChannel } from "./channels.ts";
import { cloneTask } from "./clone.ts";
import type { CloneOptions } from "./clone-options.ts";
import type { ExecOptions } from "./exec.ts";
import { execute } from "./execute.ts";
import { goneError } from "./gone.ts";
import { later } from "./patience.ts";
import { rawSyscall } from "./raw.ts";
import { closeLater, leaveTable } from "./sharing.ts";
import { NEAR, stateOf, type TaskParts, TaskState } from "./state.ts";

/**
 * A single-threaded process that makes system calls for us until it executes a program or exits.
 *
 * It starts as a child of Node would now, with stdin, stdout and stderr and no other descriptor; what it changes is its
 * own. It ends with Node, or with the Worker that made it.
 *
 * @example
 * ```ts
 * await using task = await Task.clone({ namespaces: ["user", "uts"] });
 * task.run(() => sethostname("inside"));
 * const child = task.exec("hostname");
 * await child.check();
 * ```
 * @see clone(2); `namespaces` other than `"user"` need CAP_SYS_ADMIN, or `"user"` along with them
 */
export class Task<P extends Process = ChildProcess> implements AsyncDisposable {
	static #near: Task<Process> | undefined;

	/** The task that stands for this process. `put`, `get`, `exec`, `exit` and dispose refuse it: `ERR_NEARFAR_NEAR`. */
	static get near(): Task<Process> {
		Task.#near ??= Task.#makeNear(); // not on import, whose time it would double
		return Task.#near;
	}

	/** The process that the calls are made in. */
	readonly process: P;
	readonly #id: number;
	readonly #state: TaskState;

	/** Made by `Task.clone`. */
	private constructor(parts: TaskParts<P>) {
		this.#id = parts.id;
		this.process = parts.process;
		this.#state = new TaskState(this, parts);
	}

	static #makeNear(): Task<Process> {
		const pidNamespace = new PidNamespace(() => globalThis.process);
		const process = new Process(globalThis.process.pid, pidNamespace);
		return new Task<Process>({ id: NEAR, process, kinds: [], pids: () => pidNamespace });
	}

	/** The task whose `run` or `batch` is on the stack, else {@link Task.near}. */
	static current(): Task<Process> {
		return currentTask();
	}

	/**
	 * Clones a task: a child of Node, whichever task is current.
	 *
	 * @param options - Namespaces, ids, what is shared, and what the task does first. Default: a task as Node is now.
	 * @returns The task. Exit it, let it execute a program, or declare it with `await using`.
	 * @throws `EPERM` A namespace needs a privilege that Node has not, or user namespaces are forbidden.
	 * @throws `ENOSPC` A limit on the number of namespaces is reached.
	 * @throws `EAGAIN` A limit on the number of processes is reached.
	 * @throws `EMFILE` No descriptor is free.
	 * @throws `AbortError` `options.signal` was aborted.
	 * @throws Any error that `options.begin` throws, or a call of `options.begin` gets, with its `step`.
	 * @see clone(2)
	 */
	static async clone(options?: CloneOptions): Promise<Task> {
		return cloneTask(undefined, options, (parts) => new Task(parts));
	}

	/**
	 * Clones a task from this one. The new task is a child of this one, and this process learns of its end all the same.
	 *
	 * @param options - As for {@link Task.clone}, and `share`.
	 * @returns The task. Exit it, let it execute a program, or declare it with `await using`.
	 * @throws `TaskGoneError` This task has ended, or ends meanwhile.
	 * @throws Any error that {@link Task.clone} throws.
	 * @see clone(2)
	 */
	async clone(options?: CloneOptions): Promise<Task> {
		if (!this.isNear) this.#assertLive();
		return cloneTask(this.isNear ? undefined : this, options, (parts) => new Task(parts));
	}

	/** Identity of the pid namespace it is in. */
	get pidNamespace(): PidNamespace {
		return this.#state.pids();
	}

	/** Identity of its descriptor table: that of the task that cloned it, where they share it. */
	get fdTable(): FDTable {
		return this.#state.fdTable;
	}

	/** Identity of its memory: that of the task that cloned it, where they share it. */
	get addressSpace(): AddressSpace {
		return this.#state.addressSpace;
	}

	/** Its pid as Node sees it; 0: not visible from Node's pid namespace. */
	get pid(): number {
		return this.process.pid;
	}

	/** The number of the descriptor that it is controlled through; `undefined` for this process. */
	get channelFd(): number | undefined {
		return channelOf(this.#state);
	}

	/** Whether it still serves, executes a program, supervises one, or has ended. */
	get state(): "live" | "exec" | "supervisor" | "exited" {
		return this.#state.phase;
	}

	/** True for this process. */
	get isNear(): boolean {
		return this.#id === NEAR;
	}

	/**
	 * Makes this the current task while `fn` runs: every call in it is made here, one by one.
	 *
	 * @param fn - Synchronous; a promise returned is a `TypeError`. Runs may be nested.
	 * @returns What `fn` returns.
	 * @throws `TaskGoneError` it has ended, or ends in the middle · what `fn` throws
	 */
	run<T>(fn: () => T): T {
		if (typeof fn !== "function") throw wrongType("fn", "a function", fn);
		this.#assertLive();
		// Mostly it is this process anyway.
		if (this.isNear && currentTask().isNear && !currentBatch()) return refusePromise(fn());
		return withTarget(this, undefined, () => {
			native().enter(this.#id);
			try {
				return refusePromise(fn());
			} finally {
				native().leave();
			}
		});
	}

	/**
	 * Collects the calls of `fn` and sends them in one message; the event loop is not blocked.
	 *
	 * Calls that return nothing or descriptors can be collected, and such a descriptor used by later ones. The first call
	 * that fails ends the batch, and what it had made is closed.
	 *
	 * @param fn - Synchronous.
	 * @returns What `fn` returned, when all calls have succeeded.
	 * @throws `BatchError` a value was needed · `SyscallError` with `step` · `TaskGoneError`
	 */
	async batch<T>(fn: () => T): Promise<T> {
		if (typeof fn !== "function") throw wrongType("fn", "a function", fn);
		this.#assertLive();
		return runBatch(this, this.#id, fn);
	}

	/**
	 * Copies a descriptor of this process into the task.
	 *
	 * @param fd - A descriptor of this process; it stays open.
	 * @param options - `closeOnExec`, default true; `number`: the one that it gets, and what has it is closed. Default: the
	 * lowest that is free. In a batch it is collected.
	 * @returns A descriptor of the task, of the same `file`.
	 * @throws `FDTableMismatchError` it is not this process's · `EMFILE` the task's table is full · `EBADF` `number` is over
	 * the limit of descriptors · `RangeError` the number of the task's channel · `ETOOMANYREFS` over 62 in one batch · `TaskGoneError`
	 * @see unix(7), SCM_RIGHTS
	 */
	put<T extends FileDescriptor>(fd: T, options?: { closeOnExec?: boolean; number?: number }): T {
		this.#assertFar("put");
		const { closeOnExec = true, number: to } = checkOptions(options);
		if (typeof closeOnExec !== "boolean") throw wrongType("options.closeOnExec", "a boolean", closeOnExec);
		if (to !== undefined) refuseChannel(this.#state, descriptorNumber(to, "options.number"), "options.number");
		const number = withTarget(Task.near, undefined, () => numberOf(fd));
		const put = () => {
			const made = native().put(this.#id, number, to ?? -1, closeOnExec);
			if (to !== undefined) invalidateHandles(this.fdTable, to, to);
			return made;
		};
		const made = isCurrent(this) ? put() : this.run(put);
		return adoptCopy(fd, made, this.fdTable);
	}

	/**
	 * Copies a descriptor of the task into this process.
	 *
	 * @param fd - A descriptor of the task; it stays open.
	 * @returns A descriptor of this process, of the same `file`, close-on-exec.
	 * @throws `FDTableMismatchError` it is not the task's · `EMFILE` Node's table is full · `TaskGoneError`
	 * @see unix(7), SCM_RIGHTS
	 */
	get<T extends FileDescriptor>(fd: T): T {
		this.#assertFar("get");
		const made = this.#state.attributed(() => native().get(this.#id, numberOf(fd)));
		return adoptCopy(fd, made, Task.near.fdTable);
	}

	/**
	 * Makes any system call, by number. Nothing is checked: this can do whatever the kernel allows.
	 *
	 * @param nr - The number on this architecture.
	 * @param args - Up to six. Bytes are passed by address, and hold afterwards what the kernel wrote.
	 * @returns What the call returned.
	 * @throws `SyscallError` it returned an error · `BatchError` in a batch of this task · `TaskGoneError`
	 * @see syscall(2)
	 */
	syscall(nr: number, ...args: (number | bigint | FileDescriptor | Uint8Array)[]): bigint {
		integer(nr, "nr", 0, 2 ** 31 - 1);
		if (args.length > 6) throw wrongValue("args", "at most six arguments", args);
		if (currentBatch() && isCurrent(this)) {
			throw new BatchError("syscall returns a value, and in a batch no call has run yet: make it before, or after");
		}
		this.#state.signalsTouched = true; // one of the calls about signals may be meant
		return this.run(() => rawSyscall(nr, args));
	}

	/**
	 * Executes a program in the task, which from then on is that program.
	 *
	 * Signals are at their defaults and unblocked, and no descriptor but 0, 1, 2 and `fds` is open.
	 *
	 * @param path - A path inside the task, a name to look for in `PATH`, or an open file of the task.
	 * @param argv - With `argv[0]`. Default: the path alone.
	 * In a batch it is the last call, and the program runs once the batch has ended well.
	 *
	 * @returns The same object as `process`, once the program runs.
	 * @throws `ENOENT` · `EACCES` a directory, not executable, or mounted noexec · `ENOEXEC` no program the kernel knows ·
	 * `E2BIG` · `EMFILE` no descriptor is free, in the task or here · `TaskGoneError`. The task is usable as before; its descriptors from 3 up are close-on-exec.
	 * @see execve(2), execveat(2)
	 */
	exec(path: PathLike | FileDescriptor, argv?: readonly string[], options?: ExecOptions): P {
		this.#assertFar("exec");
		const attempt = () => execute(this.#state, path, argv, options);
		if (isCurrent(this)) attempt();
		else this.run(attempt);
		return this.process;
	}

	/**
	 * Makes the task the supervisor of a program, its own child: it takes no more calls, reaps whoever is left to it, and
	 * when the program has ended, by itself or with Node, it kills all that the program has started and ends.
	 *
	 * It gets a session of its own, unless it leads a group: who signals the group that it was in does not mean it.
	 *
	 * All that have become the task's children count. Those of a process 1 are all of its pid namespace; any other task is
	 * made the child subreaper of the program's descendants. Who has become another
	 * user's and may not be killed is left. `program.exited` resolves when that is done. Where the supervisor itself is
	 * killed, so is the program, and what it had started is left to others.
	 *
	 * A program of the same user can stop it, and then nothing is done until it goes on; it cannot be traced but by who
	 * has CAP_SYS_PTRACE. Process 1 is safe from all in its namespace. It leaves a table of descriptors that others have too.
	 *
	 * @param program - What the task cloned; best before it executes anything.
	 * @param options - `forward`: signals that the task gets go to the program, but those of a terminal, which sends them
	 * to both. Default: false, they have no effect.
	 * @throws `ECHILD` not its child · `ENOENT` there is no `/proc`, or it is another pid namespace's, or has no `children`
	 * (`CONFIG_PROC_CHILDREN`); a process 1 needs none · `EMFILE` · `ChildDeadError` · `TaskGoneError`
	 * @example
	 * ```ts
	 * const task = await Task.clone({ namespaces: ["user", "pid"] });
	 * const program = await task.clone();
	 * task.supervise(program.process);
	 * program.exec("sh", ["sh", "-c", "sleep 1000 & exit 3"]);
	 * console.log((await program.process.exited).code); // 3, and no sleep is left
	 * ```
	 * @see wait(2), PR_SET_CHILD_SUBREAPER(2const), Linux 3.4
	 */
	supervise(program: ChildProcess, options?: { forward?: boolean }): void {
		this.#assertFar("supervise");
		if (!(program instanceof ChildProcess)) throw wrongType("program", "a ChildProcess", program);
		const forward = optionalBoolean(checkOptions(options).forward, "options.forward") ?? false;
		leaveTable(this.#state); // otherwise the supervisor would keep the channels of others open
		this.#state.attributed(() => trackerOf(program).supervise(this.#id, forward));
		this.#state.leave("supervisor");
	}

	/**
	 * Ends the task.
	 *
	 * @param code - 0 to 255. Default: 0.
	 * @returns How it ended.
	 * @see exit_group(2)
	 */
	async exit(code = 0): Promise<ExitStatus> {
		this.#assertFar("exit");
		integer(code, "code", 0, 255);
		const child = this.#child("exit");
		for (const { ended } of this.#state.executing) await ended;
		if (this.state === "exec") throw goneError(this.#state);
		if (this.state === "live") {
			native().exitTask(this.#id, code);
			this.#state.leave("exited");
		}
		return child.exited;
	}

	/** Kills and reaps a task that has not ended, and a supervisor with all of its; a program is left alone. */
	async [Symbol.asyncDispose](): Promise<void> {
		this.#assertNotNear("dispose");
		const child = this.#child("dispose of");
		if (this.state === "supervisor") {
			native().endSupervision(this.#id);
			this.#signal("SIGCONT"); // who is stopped does nothing
			await child.exited;
		}
		if (this.state === "exec" || this.state === "supervisor") return;
		if (this.state === "live") {
			this.#signal("SIGKILL");
			this.#state.leave("exited");
		} else {
			// It was told to exit, and does so with its own code, unless it is in a call that may never end.
			this.#signal("SIGCONT");
			later(() => this.#signal("SIGKILL"));
		}
		await child.exited;
		await child[Symbol.asyncDispose]();
	}

	/** `"task 4711 (user mnt pid)"`; `"this process (4711)"`. */
	toString(): string {
		if (this.isNear) return `this process (${this.pid})`;
		const kinds = [...this.#state.kinds].join(" ");
		return `task ${this.pid}${kinds && ` (${kinds})`}`;
	}

	#signal(signal: Signal): void {
		try {
			this.process.kill(signal);
		} catch {
			// It has ended already; or it is another user's now, and the end of its channel ends it.
		}
	}

	#child(what: string): ChildProcess {
		if (!(this.process instanceof ChildProcess)) throw new NearfarError("NEAR", `${this} is not a child`);
		trackerOf(this.process).assertCloned(what);
		return this.process;
	}

	#assertLive(): void {
		if (this.state !== "live") throw goneError(this.#state);
	}

	#assertNotNear(what: string): void {
		if (this.isNear)
			throw new NearfarError("NEAR", `cannot ${what} this process: Task.near is Node itself; clone a task`);
	}

	#assertFar(what: string): void {
		this.#assertNotNear(what);
		this.#assertLive();
	}
}

function isCurrent(task: AnyTask): boolean {
	return currentTask() === task;
}

setMakeError(makeError);
provideTaskControl({
	near: () => Task.near,
	closeLater,
	channelsToSpare: (task) => channelsToSpare(stateOf(task)),
	refuseChannel: (task, number, parameter) => refuseChannel(stateOf(task), number, parameter),
	leaveTable: (task) => leaveTable(stateOf(task)),
	goneError: (task) => goneError(stateOf(task)),
});
