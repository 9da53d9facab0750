import { ChildProcess, FileDescriptor, Process, SyscallError } from "@nearfar/core";
import {
	pid as checkPid,
	holdChild,
	numberOf,
	pidOfPidfd,
	taskOf,
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
	const result = fn(livingPid(number, syscall));
	livingPid(number, syscall);
	return result;
}

/** Returns the pid of the process of a pidfd. Throws EBADF for another descriptor, ESRCH after the end of the process. */
function livingPid(pidfd: number, syscall: string): number {
	let pid: number | undefined;
	try {
		pid = pidOfPidfd(pidfd);
	} catch (error) {
		if (error instanceof SyscallError && error.code === "ENOTTY") throw refusal("EBADF", EBADF, syscall);
		throw error;
	}
	if (pid === undefined) throw refusal("ESRCH", ESRCH, syscall);
	return pid;
}

function refusal(code: string, errno: number, syscall: string): SyscallError {
	return new SyscallError({ code, errno, syscall }, taskOf());
}
