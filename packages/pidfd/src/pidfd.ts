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
	integer,
	livingChild,
	native,
	numberOf,
	openNamespaceOf,
	optionalBoolean,
	ownsNumber,
	pidfdFlags,
	pidfdSignalFlags,
	signalNumber,
	toChoice,
	visiblePid,
	wrongType,
} from "@nearfar/core/internal";
import { waitForEnd } from "./exited.ts";
import { HeldPidfd } from "./held-pidfd.ts";
import { type PidFdInfo, readInfo } from "./info.ts";
import type { PidFdNamespaceKind } from "./namespace.ts";
import { assertChild, type NodeChild, pidOfNodeChild } from "./node-child.ts";
import { findOwnChild } from "./own-child.ts";
import { checkStartTime, readStartTime } from "./start-time.ts";
import { pollState, waitForState } from "./wait.ts";

/**
 * The options for opening a {@link PidFd}.
 *
 * @example
 * ```ts
 * const options: PidFdOptions = { nonblocking: true };
 * using self = PidFd.self(options);
 * ```
 */
export interface PidFdOptions {
	/** `true`: waitid(2) with the descriptor fails with EAGAIN while the process lives (Linux 5.10). Default: `false`. */
	nonblocking?: boolean;
	/**
	 * `true`: the id is that of a thread, and the descriptor stands for that thread alone (Linux 6.9). Default: `false`.
	 */
	thread?: boolean;
	/**
	 * The time at which the process started, as {@link PidFd.startTime} returns it, from 0. Another process is `ESRCH`:
	 * the pid in a pid file may have been used again since the file was written. Default: any process.
	 */
	startTime?: number;
}

/**
 * The receiver of a signal: one thread, the whole process, or the process group that the process leads.
 *
 * @example
 * ```ts
 * const scope: SignalScope = "process";
 * using self = PidFd.self();
 * self.sendSignal(0, { scope });
 * ```
 */
export type SignalScope = "thread" | "process" | "group";

const scopes = {
	thread: pidfdSignalFlags.thread,
	process: pidfdSignalFlags.threadGroup,
	group: pidfdSignalFlags.processGroup,
} as const;

/**
 * A descriptor for one process, and never for another one, even when the pid is used again.
 *
 * The descriptor polls as readable when the process has ended. Like every descriptor it belongs to the table of the
 * task that opened it, and is close-on-exec. `PidFd.from(fd)` makes a `PidFd` of a descriptor that other code has
 * opened.
 *
 * @example Signal exactly one process
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
	#held: HeldPidfd | undefined; // made for the first wait
	#child: ChildProcess | undefined;
	#nodeChild: NodeChild | undefined;
	#childKnown = false; // whether `#child` and `#nodeChild` have been looked up
	#death: ChildState | undefined; // seen by the descriptor that this is a copy of

	/**
	 * Opens a descriptor for a process.
	 *
	 * For a `ChildProcess` the descriptor stands for that child for certain. For a number the process may end before the
	 * call, and another process may have its pid then. `startTime` refuses that other process: the descriptor is opened
	 * first and asked for its start time afterwards.
	 *
	 * @param pid - A process, or 1 to 2147483647 in the pid namespace of the current task.
	 * @param options - See {@link PidFdOptions}. Default: a blocking descriptor for a process.
	 * @returns A descriptor of the current task. The caller closes it, or declares it with `using`.
	 * @throws `ESRCH` No process has the pid.
	 * @throws `ESRCH` The process did not start at `startTime`, or has been reaped since it was opened.
	 * @throws `ENOENT` With `startTime`: `/proc` is not mounted, or does not show the process.
	 * @throws `ENOENT` The id is that of a thread that does not lead a process, and `thread` is not set (before Linux
	 * 6.15 `EINVAL`).
	 * @throws `EINVAL` The kernel does not know the option.
	 * @throws `EMFILE` The table of the current task has no free descriptor.
	 * @throws `ERR_NEARFAR_NAMESPACE_MISMATCH` The process has its pid in another pid namespace than the current task.
	 * @throws `ERR_NEARFAR_CHILD_DEAD` The process is a child that has ended.
	 * @throws `ERR_NEARFAR_BATCH` With `startTime`: the call is inside a batch, which has no start time to compare yet.
	 * @throws `ERR_NEARFAR_TASK_GONE` The current task has executed a program, exited or died.
	 * @throws `TypeError` `pid` is neither a number nor a `Process`, or an option has the wrong type.
	 * @throws `RangeError` `pid` is not an integer from 1 to 2147483647, or `startTime` none from 0.
	 * @example
	 * ```ts
	 * using pidfd = PidFd.open(process.ppid, { nonblocking: true });
	 * console.log(pidfd.blocking); // false
	 * ```
	 * @example Open the process that a pid file means
	 * ```ts
	 * using self = PidFd.self();
	 * const pidFile = `${process.pid} ${self.startTime()}\n`; // the text that a server writes into its pid file
	 *
	 * const [pid = 0, startTime = 0] = pidFile.split(" ").map(Number);
	 * using server = PidFd.open(pid, { startTime }); // throws ESRCH if another process has the pid by now
	 * server.sendSignal(0);
	 * ```
	 * @see pidfd_open(2), Linux 5.3; no privilege
	 */
	static open(pid: number | Process, options?: PidFdOptions): PidFd {
		const checked = checkOptions(options, ["nonblocking", "thread", "startTime"]);
		const flags = openBits(checked);
		const startTime = toStartTime(checked.startTime);
		const open = (id: number) => {
			const pidfd = adoptDescriptor(native().pidfdOpen(id, flags), PidFd);
			if (startTime !== undefined) PidFd.#keepIfStarted(pidfd, startTime, id);
			return pidfd;
		};
		if (pid instanceof ChildProcess) return PidFd.#openOwn(pid, () => open(visiblePid(pid)));
		const id = pid instanceof Process ? visiblePid(pid) : checkNumber(pid);
		const child = currentTask().pidNamespace === Task.near.pidNamespace ? livingChild(id) : undefined;
		if (child) {
			try {
				return PidFd.#openOwn(child, () => open(id));
			} catch (error) {
				if (!(error instanceof ChildDeadError)) throw error; // another process may have the pid by now
			}
		}
		const pidfd = open(id);
		// A number of another pid namespace may stand for a child of nearfar too: the first wait looks that up.
		pidfd.#childKnown = currentTask().pidNamespace === Task.near.pidNamespace;
		return pidfd;
	}

	/** Closes a descriptor and throws unless its process started at this time. */
	static #keepIfStarted(pidfd: PidFd, startTime: number, pid: number): void {
		try {
			checkStartTime(pidfd.fd, startTime, `process ${pid}`);
		} catch (error) {
			pidfd.close();
			throw error;
		}
	}

	static #openOwn(child: ChildProcess, open: () => PidFd): PidFd {
		const pidfd = holdChild(child, "open", open);
		pidfd.#child = child;
		pidfd.#childKnown = true;
		return pidfd;
	}

	/**
	 * Opens a descriptor for a child of `node:child_process` (of Node, Bun or Deno), or of nearfar.
	 *
	 * The descriptor stands for that child for certain. The runtime reaps its children on this thread, between two turns
	 * of the event loop, and sets `exitCode` or `signalCode` then. While both are `null` the child may be dead, but still
	 * has its pid. A wait with this descriptor leaves the reaping to the runtime.
	 *
	 * @param child - A child that has started and was not reaped.
	 * @returns A descriptor of the current task. The caller closes it, or declares it with `using`.
	 * @throws `EMFILE` The table of the current task has no free descriptor.
	 * @throws `ERR_NEARFAR_CHILD_DEAD` The child has ended.
	 * @throws `ERR_NEARFAR_NAMESPACE_MISMATCH` The current task is in another pid namespace.
	 * @throws `ERR_NEARFAR_BATCH` The call is inside a batch, which runs later, when the child may have been reaped.
	 * @throws `ERR_NEARFAR_TASK_GONE` The current task has executed a program, exited or died.
	 * @throws `TypeError` `child` is no child process, or has not started.
	 * @example Wait for a child of Node
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
		if (currentBatch())
			throw new BatchError(
				"cannot open a child in a batch, which runs later, when it may have been reaped: call PidFd.of before",
			);
		const pidfd = adoptDescriptor(native().pidfdOpen(pid, 0), PidFd);
		try {
			if (currentTask().isNear) assertChild(pidfd.fd, child);
		} catch (error) {
			pidfd.close();
			throw error;
		}
		pidfd.#nodeChild = child;
		pidfd.#childKnown = true;
		return pidfd;
	}

	/**
	 * Opens a descriptor for the current task; near, for Node.
	 *
	 * The task is asked for its pid, which is then opened. The kernel's own numbers for the caller
	 * (`PIDFD_SELF_THREAD_GROUP`, Linux 6.14) are no descriptors and cannot be polled, passed on or closed.
	 *
	 * @param options - See {@link PidFdOptions}, but without `startTime`; with `thread`, the calling thread. Default: a blocking descriptor for
	 * the process.
	 * @returns A descriptor of the current task. The caller closes it, or declares it with `using`.
	 * @throws `EINVAL` The kernel does not know the option.
	 * @throws `EMFILE` The table of the current task has no free descriptor.
	 * @throws `ERR_NEARFAR_BATCH` The call is inside a batch, which has no value to return yet.
	 * @throws `ERR_NEARFAR_TASK_GONE` The current task has executed a program, exited or died.
	 * @throws `TypeError` An option is not a boolean.
	 * @example
	 * ```ts
	 * using self = PidFd.self();
	 * self.sendSignal(0); // does not throw: Node lives
	 * ```
	 * @see pidfd_open(2), Linux 5.3; no privilege
	 */
	static self(options?: Omit<PidFdOptions, "startTime">): PidFd {
		const flags = openBits(checkOptions(options, ["nonblocking", "thread"]));
		const id = flags & pidfdFlags.thread ? native().gettid() : native().getpid();
		return adoptDescriptor(native().pidfdOpen(id, flags), PidFd);
	}

	/**
	 * Sends a signal to the process.
	 *
	 * @param signal - A name, or a number from 0 to 64. 0 sends nothing and only checks.
	 * @param options - `scope`: the receiver (Linux 6.9). Default: the process, or the thread of a descriptor for a
	 * thread.
	 * @throws `ESRCH` The process was reaped.
	 * @throws `EPERM` The process is another user's, and the caller has no CAP_KILL.
	 * @throws `EINVAL` The process is neither in the pid namespace of the current task nor in one below it.
	 * @throws `EINVAL` The kernel does not know the scope.
	 * @throws `EBADF` The descriptor is not a pidfd.
	 * @throws `ERR_NEARFAR_FD_TABLE_MISMATCH` The descriptor is not in the table of the current task.
	 * @throws `ERR_NEARFAR_CLOSED` The descriptor was closed or given up.
	 * @throws `ERR_NEARFAR_TASK_GONE` The current task has executed a program, exited or died.
	 * @throws `TypeError` `signal` is neither a number nor the name of a signal, or `scope` is an unknown name.
	 * @throws `RangeError` The number of the signal is not from 0 to 64.
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
	 * Copies a descriptor of the process into the current task.
	 *
	 * @param fd - The number of the descriptor in the process, 0 to 2147483647.
	 * @returns A descriptor of the current task for the same open file. The caller closes it, or declares it with
	 * `using`.
	 * @throws `EBADF` The number is not open in the process, or the descriptor is not a pidfd.
	 * @throws `EPERM` The caller may not trace the process.
	 * @throws `ESRCH` The process was reaped.
	 * @throws `EMFILE` The table of the current task has no free descriptor.
	 * @throws `ERR_NEARFAR_FD_TABLE_MISMATCH` The descriptor is not in the table of the current task.
	 * @throws `ERR_NEARFAR_CLOSED` The descriptor was closed or given up.
	 * @throws `ERR_NEARFAR_TASK_GONE` The current task has executed a program, exited or died.
	 * @throws `TypeError` `fd` is not a number.
	 * @throws `RangeError` `fd` is not an integer from 0 to 2147483647.
	 * @example
	 * ```ts
	 * using self = PidFd.self();
	 * using stdout = self.getFd(1);
	 * stdout.write("hello\n");
	 * ```
	 * @see pidfd_getfd(2), Linux 5.6; the right to trace the process, see ptrace(2)
	 */
	getFd(fd: number): FileDescriptor {
		return adoptDescriptor(native().pidfdGetfd(numberOf(this), descriptorNumber(fd)));
	}

	/**
	 * Waits for a state of a child. The wait is made by the task that has the descriptor, whichever task is current.
	 *
	 * Every wait for a state gets it, and the state is remembered here and in a `ChildProcess`. A child that was opened
	 * with {@link PidFd.of} is left for its runtime to reap. Another child of this process that nearfar did not start may be
	 * the runtime's, too: while it lives, only a wait with `nowait` is allowed. A wait after the death reaps the child 2 ms
	 * later, when a runtime has reaped its own. The wait keeps the event loop alive. The descriptor may be closed during the
	 * wait.
	 *
	 * @param options - The states to wait for; default: the death. Aborting `signal` ends the wait, and nothing else.
	 * @returns The state. A death ends a wait for a stop too.
	 * @throws `ECHILD` The process is no child of the task that has the descriptor.
	 * @throws `ECHILD` The wait is for a stop of a child of a task, which {@link PidFd.poll} alone can report.
	 * @throws `ECHILD` The process is a child of the runtime, was opened by its number, and the runtime has reaped the child first (before
	 * Linux 6.15). A descriptor that {@link PidFd.of} has opened learns the end.
	 * @throws `EBADF` The descriptor is not a pidfd.
	 * @throws `EMFILE` This process has no free descriptor for a copy.
	 * @throws `ERR_NEARFAR_CHILD_BUSY` The wait would reap a living child of this process that nearfar did not start, or
	 * started on another thread.
	 * @throws `ERR_NEARFAR_CHILD_DEAD` The wait is for a stop, and the child has ended.
	 * @throws `ERR_NEARFAR_BATCH` The call is inside a batch, which has no value to return yet.
	 * @throws `ERR_NEARFAR_CLOSED` The descriptor was closed or given up.
	 * @throws `ERR_NEARFAR_TASK_GONE` The task that has the descriptor has executed a program, exited or died.
	 * @throws `TypeError` An option has a wrong type, or the options name no state.
	 * @throws `ABORT_ERR` `options.signal` was aborted. `error.cause` is the reason of the signal.
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
		return waitForState(this.#prepareWait(), options);
	}

	/**
	 * Returns a state of a child that has happened already, and never waits, even with a blocking descriptor.
	 *
	 * @param options - The states to ask for; default: the death.
	 * @returns The state. `undefined`: none yet.
	 * @throws `ECHILD` The process is no child of the current task.
	 * @throws `EBADF` The descriptor is not a pidfd.
	 * @throws `ERR_NEARFAR_CHILD_DEAD` The options ask for a stop, and the child has ended.
	 * @throws `ERR_NEARFAR_FD_TABLE_MISMATCH` The descriptor is not in the table of the current task.
	 * @throws `ERR_NEARFAR_BATCH` The call is inside a batch, which has no value to return yet.
	 * @throws `ERR_NEARFAR_CLOSED` The descriptor was closed or given up.
	 * @throws `ERR_NEARFAR_TASK_GONE` The current task has executed a program, exited or died.
	 * @throws `TypeError` An option has a wrong type, or the options name no state.
	 * @example
	 * ```ts
	 * await using task = await Task.clone();
	 * using pidfd = PidFd.open(task.process);
	 * console.log(pidfd.poll()); // undefined: it lives
	 * ```
	 * @see waitid(2) P_PIDFD and WNOHANG, Linux 5.4; no privilege
	 */
	poll(options?: Omit<WaitOptions, "signal">): ChildState | undefined {
		numberOf(this); // throws unless the descriptor is in the table of the current task
		return pollState(this.#prepareWait(), options);
	}

	/**
	 * Resolves when the process has ended, child or not, and reaps nothing. The wait works whichever task is current.
	 *
	 * The status is known of a child, of a zombie that the caller may trace, and of any process that was reaped where the
	 * kernel keeps it (Linux 6.15). For any other process the promise resolves with `undefined`, a second after the
	 * death. The wait keeps the event loop alive. The descriptor may be closed during the wait.
	 *
	 * @param options - `signal`: aborting it ends the wait, and nothing else. Default: none.
	 * @returns How the process ended. `undefined`: unknown.
	 * @throws `EMFILE` This process has no free descriptor for a copy.
	 * @throws `EBADF` The descriptor is not a pidfd.
	 * @throws `ERR_NEARFAR_BATCH` The call is inside a batch, which has no value to return yet.
	 * @throws `ERR_NEARFAR_CLOSED` The descriptor was closed or given up.
	 * @throws `ERR_NEARFAR_TASK_GONE` The task that has the descriptor has executed a program, exited or died.
	 * @throws `TypeError` `signal` is not an `AbortSignal`.
	 * @throws `ABORT_ERR` `options.signal` was aborted. `error.cause` is the reason of the signal.
	 * @example Wait for a process that is no child
	 * ```ts
	 * using parent = PidFd.open(process.ppid);
	 * const signal = AbortSignal.timeout(10);
	 * await parent.exited({ signal }).catch(({ cause }) => console.log(cause.name)); // TimeoutError
	 * ```
	 * @see pidfd_open(2), Linux 5.3; no privilege
	 */
	async exited(options?: { signal?: AbortSignal }): Promise<ExitStatus | undefined> {
		const signal = abortSignal(checkOptions(options, ["signal"]).signal);
		return waitForEnd(this.#prepareWait(), signal);
	}

	/**
	 * Opens a namespace that the process is in, or that its children will be in.
	 *
	 * Before Linux 6.11 the namespace is opened in `/proc`, which has to be mounted. The pid is checked before and after,
	 * so that the namespace is the right one even if the pid is used again.
	 *
	 * @param kind - The name of the namespace in `/proc/<pid>/ns`.
	 * @returns A descriptor of the current task, for `setns`. The caller closes it, or declares it with `using`.
	 * @throws `ESRCH` The process has ended.
	 * @throws `EACCES` The caller may not trace the process.
	 * @throws `EOPNOTSUPP` The kernel has no namespaces of the kind.
	 * @throws `ENOENT` Before Linux 6.11: `/proc` is not mounted, or the kernel has no namespaces of the kind.
	 * @throws `ENOTTY` The descriptor is not a pidfd.
	 * @throws `EMFILE` The table of the current task has no free descriptor.
	 * @throws `ERR_NEARFAR_FD_TABLE_MISMATCH` The descriptor is not in the table of the current task.
	 * @throws `ERR_NEARFAR_CLOSED` The descriptor was closed or given up.
	 * @throws `ERR_NEARFAR_BATCH` Before Linux 6.11: the call is inside a batch, and its steps depend on each other.
	 * @throws `ERR_NEARFAR_TASK_GONE` The current task has executed a program, exited or died.
	 * @throws `TypeError` `kind` is an unknown name.
	 * @example
	 * ```ts
	 * await using task = await Task.clone({ namespaces: ["user", "uts"] });
	 * task.run(() => setDumpable(true)); // an ordinary user may trace only a dumpable process
	 * using pidfd = PidFd.open(task.process);
	 * using uts = pidfd.namespace("uts");
	 * ```
	 * @see ioctl_pidfd(2) PIDFD_GET_UTS_NAMESPACE, Linux 6.11; the right to trace the process, see ptrace(2)
	 */
	namespace(kind: PidFdNamespaceKind): FileDescriptor {
		return openNamespaceOf(numberOf(this), kind, FileDescriptor);
	}

	/**
	 * Returns the properties of the process: ids, cgroup, and how it ended.
	 *
	 * @returns The properties that the kernel reports; the others are `undefined`. Ids of processes are those of the pid
	 * namespace of the current task, ids of users and groups those of its user namespace.
	 * @throws `ESRCH` The process was reaped, and the kernel keeps nothing (before Linux 6.15).
	 * @throws `EREMOTE` The process is outside the pid namespace of the current task (on some kernels `ESRCH`).
	 * @throws `ENOTTY` The kernel is older than Linux 6.13, or the descriptor is not a pidfd.
	 * @throws `ERR_NEARFAR_FD_TABLE_MISMATCH` The descriptor is not in the table of the current task.
	 * @throws `ERR_NEARFAR_CLOSED` The descriptor was closed or given up.
	 * @throws `ERR_NEARFAR_BATCH` The call is inside a batch, which has no value to return yet.
	 * @throws `ERR_NEARFAR_TASK_GONE` The current task has executed a program, exited or died.
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

	/**
	 * Returns when the process started, to tell it from a later process with the same pid. The time never changes, not
	 * even when the process executes a program.
	 *
	 * The number comes from `/proc/<pid>/stat`. The descriptor confirms that the file is the one of its own process. The
	 * clock counts from the boot, so a pid file from before a reboot may name another process with the same
	 * two numbers. Two processes that get the same pid within one tick have the same start time. A task in a time
	 * namespace sees the time shifted by the namespace's offset of the boot time.
	 *
	 * @returns Clock ticks since the boot, field 22 of proc_pid_stat(5). A second has 100 of them on x64 and arm64.
	 * @throws `ESRCH` The process was reaped.
	 * @throws `ENOENT` `/proc` is not mounted, belongs to a pid namespace that the process is not in, or hides the processes of
	 * other users (`hidepid`).
	 * @throws `ENOTTY` The descriptor is not a pidfd.
	 * @throws `EMFILE` The table of the current task has no free descriptor.
	 * @throws `ERR_NEARFAR_FD_TABLE_MISMATCH` The descriptor is not in the table of the current task.
	 * @throws `ERR_NEARFAR_CLOSED` The descriptor was closed or given up.
	 * @throws `ERR_NEARFAR_BATCH` The call is inside a batch, which has no value to return yet.
	 * @throws `ERR_NEARFAR_TASK_GONE` The current task has executed a program, exited or died.
	 * @example
	 * ```ts
	 * import { uptime } from "node:os";
	 *
	 * using self = PidFd.self();
	 * console.log(`Node runs for ${uptime() - self.startTime() / 100} seconds`);
	 * ```
	 * @see proc_pid_stat(5), time_namespaces(7); Linux 5.3; no privilege
	 */
	startTime(): number {
		return readStartTime(numberOf(this));
	}

	/**
	 * Makes another descriptor of the same open file, as {@link FileDescriptor.dup} does. The copy remembers whose child
	 * the process is, and how it ended.
	 *
	 * @param options - `closeOnExec`: default `true`. `min`: the lowest number to use, 0 to 2147483647; default 0.
	 * @returns A descriptor of the current task. The caller closes it, or declares it with `using`.
	 * @throws `EMFILE` The table has no free descriptor.
	 * @throws `EINVAL` `min` is above the limit of descriptors.
	 * @throws `ERR_NEARFAR_FD_TABLE_MISMATCH` The descriptor is not in the table of the current task.
	 * @throws `ERR_NEARFAR_CLOSED` The descriptor was closed or given up.
	 * @example
	 * ```ts
	 * using self = PidFd.self();
	 * using copy = self.dup({ min: 100 });
	 * console.log(copy.fd >= 100); // true
	 * ```
	 * @see fcntl(2) F_DUPFD_CLOEXEC; no privilege
	 */
	override dup(options?: { closeOnExec?: boolean; min?: number }): this {
		return this.#remember(super.dup(options));
	}

	/**
	 * Makes the same open file available under a number, as {@link FileDescriptor.dupTo} does. The copy remembers whose
	 * child the process is, and how it ended.
	 *
	 * @param fd - The number, 0 to 2147483647. Near, the number must not be in use; in a task its descriptor is closed.
	 * @param options - `closeOnExec`: default `true`.
	 * @returns The descriptor with the number. The caller closes it, or declares it with `using`.
	 * @throws `EBADF` The number is above the limit of descriptors.
	 * @throws `EINVAL` The number is the descriptor's own.
	 * @throws `ERR_NEARFAR_FD_TABLE_MISMATCH` The descriptor is not in the table of the current task.
	 * @throws `ERR_NEARFAR_CLOSED` The descriptor was closed or given up.
	 * @throws `RangeError` The number is in use near, or is that of the channel of a task.
	 * @example
	 * ```ts
	 * await using task = await Task.clone();
	 * task.run(() => {
	 *   using self = PidFd.self();
	 *   using copy = self.dupTo(100);
	 *   console.log(copy.fd); // 100
	 * });
	 * ```
	 * @see dup3(2); no privilege
	 */
	override dupTo(fd: number, options?: { closeOnExec?: boolean }): this {
		return this.#remember(super.dupTo(fd, options));
	}

	/** Passes on to a copy what is known of the process. */
	#remember(copy: this): this {
		copy.#child = this.#child;
		copy.#nodeChild = this.#nodeChild;
		copy.#childKnown = this.#childKnown;
		copy.#death = this.#held?.death ?? this.#death;
		return copy;
	}

	/**
	 * Closes the descriptor. Waits that use it go on.
	 *
	 * @throws `EBADF` Other code has closed the number.
	 * @example
	 * ```ts
	 * const self = PidFd.self();
	 * self.close();
	 * console.log(self.closed); // true
	 * ```
	 * @see close(2)
	 */
	override close(): void {
		if (this.closed || !this.#held?.takeOver()) super.close();
		else super.take();
	}

	/**
	 * Gives the number up: the caller closes it from now on. Waits that use the descriptor go on with a copy.
	 *
	 * @returns The number.
	 * @throws `EMFILE` The table has no free descriptor for the copy.
	 * @throws `ERR_NEARFAR_CLOSED` The descriptor was closed or given up.
	 * @example
	 * ```ts
	 * const number = PidFd.self().take();
	 * PidFd.from(number).close();
	 * ```
	 * @see pidfd_open(2)
	 */
	override take(): number {
		if (!this.closed) this.#held?.switchToCopy();
		return super.take();
	}

	/** Returns the held pidfd for a wait, and looks up whose child the process is. */
	#prepareWait(): HeldPidfd {
		if (currentBatch())
			throw new BatchError("cannot wait in a batch, in which no call has run yet: wait before or after");
		const number = this.fd;
		if (!this.#held) {
			const borrowed = !ownsNumber(this);
			this.#held = new HeldPidfd(number, this.table, borrowed);
			this.#held.death = this.#death;
		}
		if (!this.#childKnown) this.#child = findOwnChild(this.#held);
		this.#childKnown = true;
		this.#held.child = this.#child;
		this.#held.nodeChild = this.#nodeChild;
		return this.#held;
	}
}

function scopeBits(options: { scope?: SignalScope }): number {
	const { scope } = checkOptions(options, ["scope"]);
	return scope === undefined ? 0 : toChoice(scopes, scope, "options.scope");
}

function openBits({ nonblocking, thread }: PidFdOptions): number {
	const nonblock = optionalBoolean(nonblocking, "options.nonblocking") ? pidfdFlags.nonblock : 0;
	return nonblock | (optionalBoolean(thread, "options.thread") ? pidfdFlags.thread : 0);
}

function toStartTime(startTime: number | undefined): number | undefined {
	if (startTime === undefined) return undefined;
	integer(startTime, "options.startTime", 0, Number.MAX_SAFE_INTEGER);
	if (currentBatch())
		throw new BatchError(
			"cannot compare a start time in a batch, in which no call has run yet: open the process before",
		);
	return startTime;
}

function checkNumber(pid: number): number {
	if (typeof pid !== "number") throw wrongType("pid", "a number or a Process", pid);
	return checkPid(pid);
}
