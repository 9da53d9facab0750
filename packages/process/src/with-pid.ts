import { ChildProcess, FileDescriptor, Process, SyscallError } from "@nearfar/core";
import {
	adoptDescriptor,
	pid as checkPid,
	currentTask,
	holdChild,
	native,
	numberOf,
	pidsOfPidfd,
	visiblePid,
	wrongType,
} from "@nearfar/core/internal";

const ESRCH = 3;
const EBADF = 9;

/**
 * Calls `fn` with the pid of a process, for a system call that takes no pidfd.
 *
 * A `ChildProcess` is not reaped while `fn` runs, so that the kernel cannot give its pid to another process. A pidfd is
 * asked for its pid before and after: if the process was reaped in between, this throws ESRCH, although `fn` may have
 * reached another process by then. A number and any other `Process` cannot be checked.
 *
 * @param target - A pid from 0, a process, or a pidfd of the current task.
 * @param name - The name of the parameter for an error message.
 * @param syscall - The system call that `fn` makes, for an error message.
 * @param fn - Makes the system call.
 */
export function withPid<T>(
	target: number | Process | FileDescriptor,
	name: string,
	syscall: string,
	fn: (pid: number) => T,
): T {
	if (target instanceof ChildProcess) return holdChild(target, syscall, () => fn(visiblePid(target)));
	if (target instanceof Process) return fn(visiblePid(target));
	if (target instanceof FileDescriptor) return withPidOfPidfd(target, syscall, fn);
	if (typeof target !== "number") throw wrongType(name, "a number, a Process or a pidfd", target);
	return fn(checkPid(target, name, 0));
}

function withPidOfPidfd<T>(pidfd: FileDescriptor, syscall: string, fn: (pid: number) => T): T {
	const number = numberOf(pidfd);
	const pids = readPids(number, syscall);
	const [pidInProc = 0] = pids;
	// /proc may be that of an outer pid namespace. The pids are those in each namespace from that one down to the
	// namespace of the process, and one of them is the pid in the namespace of the current task.
	const pid = pids.find((candidate) => isSameProcess(candidate, pidInProc, syscall));
	if (pid === undefined) throw refusal("ESRCH", ESRCH, syscall);
	const result = fn(pid);
	readPids(number, syscall);
	return result;
}

/**
 * Returns the pids of the process of a pidfd, outermost namespace first. Throws EBADF for another descriptor, ESRCH
 * after its death.
 */
function readPids(number: number, syscall: string): number[] {
	const pids = pidsOfPidfd(number);
	if (!pids) throw refusal("EBADF", EBADF, syscall);
	if (pids.length === 0) throw refusal("ESRCH", ESRCH, syscall);
	return pids;
}

/** Returns whether the current task knows by `pid` the process that /proc shows as `pidInProc`. */
function isSameProcess(pid: number, pidInProc: number, syscall: string): boolean {
	try {
		using pidfd = adoptDescriptor(native().pidfdOpen(pid, 0));
		return readPids(numberOf(pidfd), syscall)[0] === pidInProc;
	} catch (error) {
		if (error instanceof SyscallError && error.code === "ESRCH") return false;
		throw error;
	}
}

function refusal(code: string, errno: number, syscall: string): SyscallError {
	const task = currentTask();
	return new SyscallError({ code, errno, syscall }, task.isNear ? {} : { task: task.toString() });
}
