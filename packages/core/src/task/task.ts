import type { Event } from "../../native/binding.js";
import type { NamespaceKind } from "../addon/flags.generated.ts";
import { native, setMakeError } from "../addon/native.ts";
import {
	options as checkOptions,
	descriptorNumber,
	integer,
	optionalBoolean,
	outOfRange,
	wrongType,
	wrongValue,
} from "../arguments.ts";
import { BatchError, NearfarError, TaskGoneError } from "../errors.ts";
import { FileDescriptor } from "../files/descriptor.ts";
import type { PathLike } from "../files/path.ts";
import { type AddressSpace, FDTable, PidNamespace, Shareable } from "../identity.ts";
import { ChildProcess, ThreadProcess } from "../process/child.ts";
import { type ExitStatus, howItEnded, toExitStatus } from "../process/child-state.ts";
import { Process } from "../process/process.ts";
import type { Signal } from "../process/signal.ts";
import { makeError } from "../target/make-error.ts";
import { afterSuccess, type Batch, currentBatch, currentTask, setNear, withTarget } from "../target/target.ts";
import { refusePromise, runBatch } from "./batch.ts";
import { type CloneOptions, cloneTask } from "./clone.ts";
import { type Command, type ExecOptions, execData } from "./exec.ts";
import { later } from "./patience.ts";
import { rawSyscall } from "./raw.ts";
import { Sharing } from "./sharing.ts";

const NEAR = 0; // the addon's number for this process
const SIGKILL = 9;

/** What a task is made of; not for its users. */
interface TaskParts<P extends Process> {
	readonly id: number;
	readonly process: P;
	readonly kinds: readonly NamespaceKind[];
	readonly pids: () => PidNamespace;
	readonly nested?: boolean;
}

// A task nobody can reach any more has nothing left to do: the end of its channel ends it.
const unreachable = new FinalizationRegistry((id: number) => native().forgetTask(id));

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

	/** This process. `put`, `get`, `exec`, `exit` and dispose refuse: `ERR_NEARFAR_NEAR`. */
	static get near(): Task<Process> {
		Task.#near ??= Task.#makeNear(); // not on import: half of what that would cost
		return Task.#near;
	}

	/** The process that the calls are made in. */
	readonly process: P;
	readonly #id: number;
	readonly #nested: boolean;
	readonly #sharing = new Sharing(this as unknown as Task);
	#kinds: Set<NamespaceKind>;
	readonly #pids: () => PidNamespace;
	/** Where those are whom it clones now: in a batch that is under way that may not be known yet. */
	#childPids: () => PidNamespace;
	#state: "live" | "exec" | "supervisor" | "exited" = "live";
	/** What it executes, perhaps: of the batches that say so nothing has been heard. */
	readonly #executing = new Set<{ command: Command; settled: Promise<void> }>();
	// Whether it may ignore or block a signal: otherwise nothing has to be reset at exec.
	#signalsTouched = false;

	/** Made by `Task.clone`. */
	private constructor(parts: TaskParts<P>) {
		const { id, process, kinds, pids } = parts;
		this.#id = id;
		this.process = process;
		this.#kinds = new Set(kinds);
		this.#nested = parts.nested ?? false;
		this.#pids = pids;
		this.#childPids = pids;
		if (id !== NEAR) unreachable.register(this, id, this);
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
	 * Clones a task: a child of Node, wherever this is called.
	 *
	 * @throws `EPERM` a namespace without the privilege, or user namespaces are forbidden · `ENOSPC` a limit of namespaces
	 * · `EAGAIN` a limit of processes · `EMFILE` · `AbortError` · what `options.begin` throws, or a call of it with its `step`
	 */
	static async clone(options?: CloneOptions): Promise<Task> {
		return cloneTask(undefined, options);
	}

	/** Clones a task from this one: its child, waited for all the same. Throws as {@link Task.clone}, and `TaskGoneError`. */
	async clone(options?: CloneOptions): Promise<Task> {
		if (this.isNear) return cloneTask(undefined, options);
		this.#assertLive();
		return cloneTask(this as unknown as Task, options);
	}

	/** Identity of the pid namespace it is in. */
	get pidNamespace(): PidNamespace {
		return this.#pids();
	}

	/** Identity of its descriptor table: that of the task that cloned it, where they share it. */
	get fdTable(): FDTable {
		return this.#sharing.fdTable;
	}

	/** Identity of its memory: that of the task that cloned it, where they share it. */
	get addressSpace(): AddressSpace {
		return this.#sharing.addressSpace;
	}

	/** Its pid as Node sees it; 0: not visible from Node's pid namespace. */
	get pid(): number {
		return this.process.pid;
	}

	/** The number of the descriptor that it is controlled through; `undefined` for this process. */
	get channelFd(): number | undefined {
		return this.isNear ? undefined : this.#attributed(() => native().channelFd(this.#id));
	}

	/** The numbers in its table that it and others who have the table are controlled through, in order. */
	get channelFds(): number[] {
		const own = this.channelFd;
		if (own === undefined) return [];
		const others = Shareable.others(this.fdTable, this as unknown as Task);
		return [own, ...others.map((other) => other.#sharing.legacy.files?.channel ?? -1)].sort((a, b) => a - b);
	}

	/** {@link Task.channelFds}, for a call that closes or replaces others by number: none more may come meanwhile. */
	sparedFds(): number[] {
		FDTable.assertNobodyExpected(this.fdTable);
		currentBatch()?.settle.push(FDTable.closes(this.fdTable, this as unknown as Task));
		return this.channelFds;
	}

	/** Refuses the number of a descriptor that it, or another with the same table, is controlled through. */
	assertNotChannel(fd: number, name: string): void {
		// Stdio is asked for most, and never it: then nobody has to wait for a task that has just begun.
		if (fd > 2 && this.sparedFds().includes(fd))
			throw outOfRange(name, `a number that ${this} does not use itself`, fd);
	}

	/** Gives it a table of its own, if it shares one. */
	unshareFiles(): void {
		this.#sharing.leaveTable();
	}

	/** Whether it still serves, executes a program, supervises one, or has ended. */
	get state(): "live" | "exec" | "supervisor" | "exited" {
		return this.#state;
	}

	/** Whether it is this process. */
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
		return withTarget(this as unknown as Task, undefined, () => {
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
		return runBatch(this as unknown as Task, this.#id, fn);
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
		if (to !== undefined) this.assertNotChannel(descriptorNumber(to, "options.number"), "options.number");
		const number = withTarget(Task.near as unknown as Task, undefined, () => FileDescriptor.check(fd).number());
		const put = () => {
			const made = native().put(this.#id, number, to ?? -1, closeOnExec);
			if (to !== undefined) FileDescriptor.invalidate(this.fdTable, to, to);
			return made;
		};
		const made = currentTask() === (this as unknown as Task) ? put() : this.run(put);
		return FileDescriptor.kind(fd).adoptIn(this.fdTable, made, fd.file);
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
		const made = this.#attributed(() => native().get(this.#id, FileDescriptor.check(fd).number()));
		return FileDescriptor.kind(fd).adoptIn(Task.near.fdTable, made, fd.file);
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
		if (currentBatch() && currentTask() === (this as unknown as Task)) {
			throw new BatchError("syscall returns a value, and in a batch no call has run yet: make it before, or after");
		}
		this.#signalsTouched = true;
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
		const attempt = () => {
			const { data, command } = execData(path, argv, options);
			const taskDeathSignal = this.#nested ? 0 : SIGKILL;
			this.#sharing.leaveTable();
			// Another task's child, or in a pid namespace of its own, it has no parent that it could know by number.
			const parent = this.#nested || this.pidNamespace !== Task.near.pidNamespace ? 0 : globalThis.process.pid;
			native().exec(this.#id, { ...data, parent, resetSignals: this.#signalsTouched, taskDeathSignal });
			const batch = currentBatch();
			if (batch) this.#willExecute(command, batch);
			else this.#executes(command);
		};
		if (currentTask() === (this as unknown as Task)) attempt();
		else this.run(attempt);
		return this.process;
	}

	#willExecute(command: Command, { settle }: Batch): void {
		let settled = () => {};
		const execution = { command, settled: new Promise<void>((resolve) => (settled = resolve)) };
		this.#executing.add(execution);
		settle.push((numbers) => {
			this.#executing.delete(execution);
			if (numbers) this.#executes(command);
			settled();
		});
	}

	#executes(command: Command): void {
		this.#state = "exec";
		unreachable.unregister(this);
		native().forgetTask(this.#id);
		this.#sharing.legacy.leaveMemory();
		if (this.process instanceof ChildProcess) ChildProcess.executes(this.process, command);
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
		this.unshareFiles(); // it would keep the channels of others open
		this.#attributed(() => ChildProcess.supervised(program, this.#id, forward));
		this.#state = "supervisor";
		unreachable.unregister(this);
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
		for (const { settled } of this.#executing) await settled;
		if (this.#state === "exec") throw this.goneError();
		if (this.#state === "live") {
			native().exitTask(this.#id, code);
			this.#left();
		}
		return child.exited;
	}

	/** Kills and reaps a task that has not ended, and a supervisor with all of its; a program is left alone. */
	async [Symbol.asyncDispose](): Promise<void> {
		this.#assertNotNear("dispose");
		const child = this.#child("dispose of");
		if (this.#state === "supervisor") {
			native().endSupervision(this.#id);
			this.#signal("SIGCONT"); // who is stopped does nothing
			await child.exited;
		}
		if (this.#state === "exec" || this.#state === "supervisor") return;
		if (this.#state === "live") {
			this.#signal("SIGKILL");
			this.#left();
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
		const kinds = [...this.#kinds].join(" ");
		return `task ${this.pid}${kinds && ` (${kinds})`}`;
	}

	/** The error for a call that found nobody. */
	goneError(): TaskGoneError {
		if (this.isNear) {
			return new TaskGoneError(
				"the process that clones tasks was killed in the middle of it: try again, another one does",
			);
		}
		if (this.#state === "supervisor") return new TaskGoneError(`${this} supervises a program`);
		const child = this.process instanceof ChildProcess ? this.process : undefined;
		const [executing] = this.#executing;
		// One that was killed before is not said to execute.
		const killed = child && executing && ChildProcess.ending(child, 0);
		const command = (killed ? undefined : executing?.command) ?? child?.command;
		if (command) {
			const death = child?.death;
			const how = death ? `executed ${command.path}, which ${howItEnded(death)}` : `executes ${command.path}`;
			return new TaskGoneError(`${this} ${how}`, death && toExitStatus(death), command);
		}
		const status = child && ChildProcess.ending(child);
		if (this.#state === "live") this.#left();
		return new TaskGoneError(`${this} ${status ? howItEnded(status) : "has ended"}`, status);
	}

	/** Gives a block of its memory back some time soon. */
	unmapLater(block: number): void {
		native().unmapLater(this.#id, block);
	}

	/** Closes a descriptor of the task some time soon. */
	closeLater(number: number): void {
		if (this.isNear) this.run(() => native().close(number));
		else native().closeLater(this.#id, [number]);
	}

	/**
	 * With the call that was made last, if it succeeds, the namespaces of these kinds are others; pids of children are those
	 * of the last `"pid"`.
	 *
	 * @param kinds - A function where they can be told only then.
	 */
	entersNamespaces(kinds: readonly NamespaceKind[] | (() => readonly NamespaceKind[])): void {
		const before = this.#childPids;
		const { process } = this; // the namespace must not keep the task
		const another = new PidNamespace(() => process);
		let entered = typeof kinds === "function" || kinds.includes("pid");
		// Already now: whoever is cloned while a batch is under way comes after it.
		if (entered) this.#childPids = () => (entered ? another : before());
		afterSuccess(
			() => {
				const known = typeof kinds === "function" ? kinds() : kinds;
				for (const kind of known) this.#kinds.add(kind);
				entered = known.includes("pid");
			},
			() => {
				entered = false;
			},
		);
	}

	/** It may ignore or block signals from now on: exec has to reset them. */
	changedSignals(): void {
		this.#signalsTouched = true;
	}

	/** Whether it may ignore or block signals. */
	static touchedSignals(task: Task): boolean {
		return task.#signalsTouched;
	}

	/** Makes the object for a task that is being cloned. */
	static made(id: number, parent: Task | undefined, { namespaces = [], share = [] }: CloneOptions): Task {
		const origin: Task<Process> = parent ?? Task.near;
		const Kind = share.includes("vm") ? ThreadProcess : ChildProcess;
		const process = new Kind(id, Task.near.pidNamespace);
		const own = namespaces.includes("pid") ? new PidNamespace(() => process) : undefined;
		const pids = own ? () => own : origin.#childPids;
		const kinds = [...origin.#kinds, ...namespaces];
		const made = new Task({ id, process, kinds, pids, nested: parent !== undefined });
		made.#signalsTouched = origin.#signalsTouched;
		return made;
	}

	/** Its clone has succeeded. */
	static appeared(task: Task, { numbers }: Event, parent: Task | undefined, { share = [] }: CloneOptions): void {
		const [pid = 0, block = 0, channel = -1] = numbers;
		const { legacy } = task.#sharing;
		if (parent && share.includes("vm")) task.#sharing.shareMemory(parent.#sharing, block);
		if (parent && share.includes("files")) {
			task.#sharing.shareTable(parent.#sharing, channel, parent.#channelWhileItLives());
		}
		// Who waits for its end must not keep the task.
		const self = new WeakRef(task);
		ChildProcess.appeared(task.process, pid, () => {
			const ended = self.deref();
			if (ended?.state === "live") ended.#left();
			legacy.died();
		});
	}

	/** Its clone has failed. */
	static failed(task: Task): void {
		task.#left();
		ChildProcess.failed(task.process);
	}

	/** Sends a task that is being cloned its first batch. */
	static begin(task: Task, begin: (task: Task) => void, appeared: Promise<unknown>): Promise<void> {
		return runBatch(task, task.#id, () => begin(task), appeared);
	}

	/** The addon's number for a live task. */
	static number(task: Task): number {
		return task.#id;
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
		ChildProcess.assertCloned(this.process, what);
		return this.process;
	}

	#left(): void {
		this.#state = "exited";
		unreachable.unregister(this);
		native().forgetTask(this.#id);
	}

	/** The number of its channel; -1 where it has ended, known here or not. */
	#channelWhileItLives(): number {
		try {
			return (this.#state === "live" && this.channelFd) || -1;
		} catch (error) {
			if (!(error instanceof TaskGoneError)) throw error;
			return -1;
		}
	}

	#attributed<T>(fn: () => T): T {
		return withTarget(this as unknown as Task, undefined, fn);
	}

	#assertLive(): void {
		if (this.#state !== "live") throw this.goneError();
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

setNear(() => Task.near as unknown as Task);
setMakeError(makeError);
