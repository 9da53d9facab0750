import {
	BatchError,
	ChildDeadError,
	ChildProcess,
	type ChildState,
	type ExitStatus,
	FileDescriptor,
	Process,
	type Signal,
	Task,
	type WaitOptions,
} from "@nearfar/core";
import {
	abortSignal,
	adoptDescriptor,
	options as checkOptions,
	pid as checkPid,
	currentBatch,
	currentTask,
	descriptorNumber,
	holdChild,
	livingChild,
	native,
	numberOf,
	optionalBoolean,
	ownsNumber,
	pidfdFlags,
	pidfdSignalFlags,
	signalNumber,
	toChoice,
	visiblePid,
	wrongType,
} from "@nearfar/core/internal";
import { exited } from "./exited.ts";
import { HeldPidfd } from "./held-pidfd.ts";
import { type PidFdInfo, readInfo } from "./info.ts";
import { openNamespace, type PidFdNamespaceKind } from "./namespace.ts";
import { assertChild, type NodeChild, pidOfNodeChild } from "./node-child.ts";
import { findOwnChild } from "./own-child.ts";
import { poll, wait } from "./wait.ts";

/** How to open a {@link PidFd}. */
export interface PidFdOptions {
	/** Waiting with it fails with EAGAIN while the process lives (Linux 5.10). Default: false. */
	nonblocking?: boolean;
	/** The pid is a thread's, and the descriptor stands for that thread alone (Linux 6.9). Default: false. */
	thread?: boolean;
}

/** Whom a signal reaches: one thread, the process, or the process group that it leads. */
export type SignalScope = "thread" | "process" | "group";

const scopes = {
	thread: pidfdSignalFlags.thread,
	process: pidfdSignalFlags.threadGroup,
	group: pidfdSignalFlags.processGroup,
} as const;

/**
 * A descriptor for one process: it never means another one, though the pid be used again.
 *
 * It polls as readable when the process has ended. Like every descriptor it belongs to the table
 * of the task that opened it, and is close-on-exec. `PidFd.from(fd)` takes over one that somebody else opened.
 *
 * @example Signal exactly the process that was meant
 * ```ts
 * const task = await Task.clone();
 * const child = task.exec("sleep", ["sleep", "60"]);
 * using pidfd = PidFd.open(child);
 * pidfd.sendSignal("SIGTERM");
 * console.log((await child.exited).signal); // SIGTERM
 * ```
 * @see pidfd_open(2), Linux 5.3
 */
export class PidFd extends FileDescriptor {
	#held: HeldPidfd | undefined; // made when somebody first waits
	#child: ChildProcess | undefined;
	#nodeChild: NodeChild | undefined;
	#known = false; // whether it was asked already whose child it is
	#death: ChildState | undefined; // what the one that this is a copy of has seen

	/**
	 * Opens a descriptor for a process.
	 *
	 * Between learning a pid and opening it the process may end, and the pid be somebody else's: for a child that was not
	 * reaped that cannot happen.
	 *
	 * @param pid - 1 or more, in the current task's pid namespace; or a process.
	 * @returns A descriptor of the current task; close it or declare it with `using`.
	 * @throws `ESRCH` nobody has the pid · `ENOENT` without `thread`, the id of a thread that does not lead a process
	 * (before Linux 6.15 `EINVAL`) · `EINVAL` a flag that this kernel does not know · `EMFILE` · `NamespaceMismatchError`
	 * a process of another pid namespace · `ChildDeadError`
	 * @example
	 * ```ts
	 * using pidfd = PidFd.open(process.ppid, { nonblocking: true });
	 * console.log(pidfd.blocking); // false
	 * ```
	 * @see pidfd_open(2), Linux 5.3; no privilege
	 */
	static open(pid: number | Process, options?: PidFdOptions): PidFd {
		const flags = openBits(options);
		const open = (id: number) => adoptDescriptor(native().pidfdOpen(id, flags), PidFd);
		if (pid instanceof ChildProcess) return PidFd.#ours(pid, () => open(visiblePid(pid)));
		const id = pid instanceof Process ? visiblePid(pid) : number(pid);
		const child = currentTask().pidNamespace === Task.near.pidNamespace ? livingChild(id) : undefined;
		if (child) {
			try {
				return PidFd.#ours(child, () => open(id));
			} catch (error) {
				if (!(error instanceof ChildDeadError)) throw error; // reaped: whoever has the pid now, if anybody
			}
		}
		const pidfd = open(id);
		// By a number of another pid namespace it may be one of ours all the same.
		pidfd.#known = currentTask().pidNamespace === Task.near.pidNamespace;
		return pidfd;
	}

	static #ours(child: ChildProcess, open: () => PidFd): PidFd {
		const pidfd = holdChild(child, "open", open);
		pidfd.#child = child;
		pidfd.#known = true;
		return pidfd;
	}

	/**
	 * Opens a descriptor for a child of `node:child_process` (Node's, Bun's or Deno's), or for one of nearfar's.
	 *
	 * It is the child that is opened, and no stranger: Node's loop reaps its children on this thread, in a turn of its
	 * own, and sets `exitCode` or `signalCode` there. While neither is set the child may be dead, but it has its pid. A
	 * wait with this descriptor leaves the status for the child's owner.
	 *
	 * @param child - It has started, and is not known to have ended.
	 * @returns A descriptor of the current task; close it or declare it with `using`.
	 * @throws `ChildDeadError` it has ended · `TypeError` it never started, or is no child · `EMFILE` ·
	 * `NamespaceMismatchError` the current task is in another pid namespace · `BatchError` in a batch, which runs later
	 * @example Wait beside Node
	 * ```ts
	 * import { spawn } from "node:child_process";
	 *
	 * const child = spawn("sh", ["-c", "exit 7"]);
	 * using pidfd = PidFd.of(child);
	 * console.log(await pidfd.exited()); // { code: 7, signal: null, dumped: false }
	 * ```
	 * @see pidfd_open(2), Linux 5.3; no privilege
	 */
	static of(child: NodeChild | ChildProcess): PidFd {
		if (child instanceof ChildProcess) return PidFd.open(child);
		const pid = pidOfNodeChild(child);
		if (currentBatch()) throw new BatchError("a batch runs later, when the child may have been reaped: open it before");
		const pidfd = adoptDescriptor(native().pidfdOpen(pid, 0), PidFd);
		try {
			if (currentTask().isNear) assertChild(pidfd.fd, child);
		} catch (error) {
			pidfd.close();
			throw error;
		}
		pidfd.#nodeChild = child;
		pidfd.#known = true;
		return pidfd;
	}

	/**
	 * Opens a descriptor for the current task itself: its pid is asked for, then opened. The kernel's numbers for the
	 * caller (`PIDFD_SELF_*`, Linux 6.14) are not descriptors: nothing can be polled, passed on or closed by them.
	 *
	 * @param options - `thread`: for the calling thread.
	 * @returns A descriptor of the current task; close it or declare it with `using`.
	 * @throws `EINVAL` a flag that this kernel does not know · `EMFILE` · `BatchError` in a batch · `TaskGoneError`
	 * @example
	 * ```ts
	 * using self = PidFd.self();
	 * self.sendSignal(0); // we live
	 * ```
	 * @see pidfd_open(2), Linux 5.3; no privilege
	 */
	static self(options?: PidFdOptions): PidFd {
		const flags = openBits(options);
		const id = flags & pidfdFlags.thread ? native().gettid() : native().getpid();
		return adoptDescriptor(native().pidfdOpen(id, flags), PidFd);
	}

	/**
	 * Sends a signal.
	 *
	 * @param signal - 0 sends nothing and only checks.
	 * @param options - `scope`: default, the thread or process that the descriptor stands for (Linux 6.9).
	 * @throws `ESRCH` it was reaped · `EPERM` another user's · `EINVAL` a process of a pid namespace that is not the
	 * current task's nor inside it, or a scope that this kernel does not know · `EBADF` not a pidfd ·
	 * `FDTableMismatchError` · `TaskGoneError`
	 * @example
	 * ```ts
	 * using self = PidFd.self();
	 * self.sendSignal(0, { scope: "process" });
	 * ```
	 * @see pidfd_send_signal(2), Linux 5.1; the same user, or CAP_KILL
	 */
	sendSignal(signal: Signal, options?: { scope?: SignalScope }): void {
		const flags = options === undefined ? 0 : scopeBits(options);
		native().pidfdSendSignal(numberOf(this), signalNumber(signal), flags);
	}

	/**
	 * Copies a descriptor out of the process.
	 *
	 * @param fd - Its number over there, 0 or more.
	 * @returns A descriptor of the current task for the same open file; close it or declare it with `using`.
	 * @throws `EBADF` not open over there, or not a pidfd · `EPERM` the process may not be traced · `ESRCH` it was reaped
	 * · `EMFILE` · `FDTableMismatchError` · `TaskGoneError`
	 * @example
	 * ```ts
	 * using self = PidFd.self();
	 * using stdout = self.getFd(1);
	 * stdout.write("hello\n");
	 * ```
	 * @see pidfd_getfd(2), Linux 5.6; the same as to trace it, see ptrace(2): the same user, or CAP_SYS_PTRACE
	 */
	getFd(fd: number): FileDescriptor {
		return adoptDescriptor(native().pidfdGetfd(numberOf(this), descriptorNumber(fd)));
	}

	/**
	 * Waits for a state change of a child of the task that the descriptor is of, whichever is current.
	 *
	 * No status is lost: all who wait get it, it is remembered here, and what is a `ChildProcess` of nearfar keeps it too.
	 * A child of Node's loop that was opened with {@link PidFd.of} is left for Node to reap. Any other child is reaped, two
	 * turns of the event loop after its death was seen: one that Node's loop has started is reaped by that before. Keeps
	 * the event loop alive; the descriptor may be closed meanwhile.
	 *
	 * @param options - Which; default: its end. Aborting `signal` ends the wait and nothing else.
	 * @returns What has happened. The end also for who waited for a stop only.
	 * @throws `ECHILD` not a child of that task; or a child of a task, and a stop: it can only be polled for ·
	 * `ChildDeadError` a stop, and it has ended · `EBADF` not a pidfd · `BatchError` in a batch · `AbortError` ·
	 * `ClosedError` · `TaskGoneError`
	 * @example
	 * ```ts
	 * const task = await Task.clone();
	 * using pidfd = PidFd.open(task.process);
	 * task.exec("/bin/true");
	 * console.log((await pidfd.wait()).code); // 0
	 * ```
	 * @see waitid(2) P_PIDFD, Linux 5.4; no privilege
	 */
	async wait(options?: WaitOptions): Promise<ChildState> {
		return wait(this.#process(), options);
	}

	/**
	 * Asks for a state change that has happened already, and never waits; also where the descriptor is nonblocking.
	 *
	 * @param options - As for `wait`, without `signal`.
	 * @returns The state, or `undefined` where there is none yet.
	 * @throws `ECHILD` not a child of the task that the descriptor is of · `ChildDeadError` a stop, and it has ended ·
	 * `EBADF` not a pidfd · `FDTableMismatchError` · `BatchError` in a batch · `TaskGoneError`
	 * @example
	 * ```ts
	 * await using task = await Task.clone();
	 * using pidfd = PidFd.open(task.process);
	 * console.log(pidfd.poll()); // undefined: it lives
	 * ```
	 * @see waitid(2) P_PIDFD and WNOHANG, Linux 5.4; no privilege
	 */
	poll(options?: Omit<WaitOptions, "signal">): ChildState | undefined {
		numberOf(this); // as every call that returns at once, it is one of the current task
		return poll(this.#process(), options);
	}

	/**
	 * Resolves when the process has ended, child or not, and reaps nobody. Whichever task is current.
	 *
	 * How it ended is known of a child, of a zombie that may be traced, and of any process that was reaped where the kernel
	 * keeps its status (Linux 6.15). One that is none of these, and that its parent does not reap within a second, has
	 * ended with `undefined`. Keeps the event loop alive; the descriptor may be closed meanwhile.
	 *
	 * @param options - Aborting `signal` ends the wait and nothing else.
	 * @returns How it ended; `undefined`: the kernel keeps no status for us.
	 * @throws `AbortError` · `EMFILE` a copy of a task's descriptor was needed · `EBADF` not a pidfd ·
	 * `BatchError` in a batch · `ClosedError` · `TaskGoneError`
	 * @example Wait for a process that is not a child
	 * ```ts
	 * using parent = PidFd.open(process.ppid);
	 * await parent.exited({ signal: AbortSignal.timeout(10) }).catch((reason) => console.log(reason.name)); // TimeoutError
	 * ```
	 * @see pidfd_open(2), Linux 5.3; no privilege
	 */
	async exited(options?: { signal?: AbortSignal }): Promise<ExitStatus | undefined> {
		const signal = abortSignal(checkOptions(options).signal);
		return exited(this.#process(), signal);
	}

	/**
	 * Opens a namespace that the process is in, or that its children will be in.
	 *
	 * Before Linux 6.11 through `/proc`, which has to be mounted then; what is opened is the process's own namespace there
	 * too, though the pid be used again meanwhile.
	 *
	 * @param kind - Its name in `/proc/pid/ns`.
	 * @returns A descriptor of the current task, for `setns`; close it or declare it with `using`.
	 * @throws `ESRCH` it has ended · `EACCES` it may not be traced · `EOPNOTSUPP` the kernel has no namespaces of the
	 * kind · `ENOTTY` not a pidfd · `EMFILE` · `FDTableMismatchError` · `TaskGoneError`
	 * @example
	 * ```ts
	 * await using task = await Task.clone({ namespaces: ["user", "uts"] });
	 * using pidfd = PidFd.open(task.process);
	 * using uts = pidfd.namespace("uts");
	 * ```
	 * @see ioctl_pidfd(2) PIDFD_GET_UTS_NAMESPACE, Linux 6.11; the same as to trace it, see ptrace(2)
	 */
	namespace(kind: PidFdNamespaceKind): FileDescriptor {
		return openNamespace(numberOf(this), kind);
	}

	/**
	 * Asks the kernel what it knows of the process: ids, cgroup, how it ended.
	 *
	 * @returns What the kernel filled in; everything else is `undefined`. Ids of processes are of the current task's pid
	 * namespace, ids of users and groups of its user namespace.
	 * @throws `ESRCH` it was reaped, and the kernel keeps nothing (before Linux 6.15) · `EREMOTE` it is not in the
	 * current task's pid namespace (once `ESRCH`) · `ENOTTY` before Linux 6.13; not a pidfd · `FDTableMismatchError` · `BatchError` in a
	 * batch · `TaskGoneError`
	 * @example
	 * ```ts
	 * using self = PidFd.self();
	 * const { pid, euid, exitCode } = self.info();
	 * console.log(pid === process.pid, euid === process.geteuid?.(), exitCode); // true true undefined
	 * ```
	 * @see ioctl_pidfd(2) PIDFD_GET_INFO, Linux 6.13; no privilege
	 */
	info(): PidFdInfo {
		return readInfo(numberOf(this));
	}

	/** As any descriptor; the copy knows whose child the process is, and how it has ended. */
	override dup(options?: { closeOnExec?: boolean; min?: number }): this {
		return this.#sharing(super.dup(options));
	}

	/** As any descriptor; the copy knows whose child the process is, and how it has ended. */
	override dupTo(fd: number, options?: { closeOnExec?: boolean }): this {
		return this.#sharing(super.dupTo(fd, options));
	}

	#sharing(copy: this): this {
		copy.#child = this.#child;
		copy.#nodeChild = this.#nodeChild;
		copy.#known = this.#known;
		copy.#death = this.#held?.death ?? this.#death;
		return copy;
	}

	/** Closes it. Who waits with it goes on. */
	override close(): void {
		if (this.closed || !this.#held?.inherit()) super.close();
		else super.take();
	}

	/** Gives the number up: from now on somebody else closes it. Who waits with it goes on, with a copy. */
	override take(): number {
		if (!this.closed) this.#held?.part();
		return super.take();
	}

	#process(): HeldPidfd {
		if (currentBatch()) throw new BatchError("waiting returns a value, and in a batch no call has run yet");
		const number = this.fd;
		if (!this.#held) {
			const borrowed = !ownsNumber(this);
			this.#held = new HeldPidfd(number, this.table, borrowed);
			this.#held.death = this.#death;
		}
		if (!this.#known) this.#child = findOwnChild(this.#held);
		this.#known = true;
		this.#held.child = this.#child;
		this.#held.nodeChild = this.#nodeChild;
		return this.#held;
	}
}

function scopeBits(options: { scope?: SignalScope }): number {
	const { scope } = checkOptions(options);
	return scope === undefined ? 0 : toChoice(scopes, scope, "options.scope");
}

function openBits(options: PidFdOptions | undefined): number {
	const { nonblocking, thread } = checkOptions(options);
	const nonblock = optionalBoolean(nonblocking, "options.nonblocking") ? pidfdFlags.nonblock : 0;
	return nonblock | (optionalBoolean(thread, "options.thread") ? pidfdFlags.thread : 0);
}

function number(pid: number): number {
	if (typeof pid !== "number") throw wrongType("pid", "a number or a Process", pid);
	return checkPid(pid);
}
