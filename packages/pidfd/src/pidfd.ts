import { FileDescriptor, Process, type Signal } from "@nearfar/core";
import {
	options as checkOptions,
	pid as checkPid,
	descriptorNumber,
	native,
	optionalBoolean,
	pidfdFlags,
	pidfdSignalFlags,
	signalNumber,
	toChoice,
	wrongType,
} from "@nearfar/core/internal";

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
 * It can be read from (it polls as readable) when the process has ended. Like every descriptor it belongs to the table
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
		return PidFd.adopt(native().pidfdOpen(pid instanceof Process ? pid.visiblePid() : number(pid), flags));
	}

	/**
	 * Opens a descriptor for the current task itself: its pid is asked for, then opened.
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
		return PidFd.adopt(native().pidfdOpen(flags & pidfdFlags.thread ? native().gettid() : native().getpid(), flags));
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
		const { scope } = checkOptions(options);
		const flags = scope === undefined ? 0 : toChoice(scopes, scope, "options.scope");
		native().pidfdSendSignal(this.number(), signalNumber(signal), flags);
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
		return FileDescriptor.adopt(native().pidfdGetfd(this.number(), descriptorNumber(fd)));
	}
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
