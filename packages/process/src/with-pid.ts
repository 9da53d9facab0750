import { ChildProcess, FileDescriptor, Process, SyscallError } from "@nearfar/core";
import { pid as checkPid, currentTask, native, pidsOfPidfd, wrongType } from "@nearfar/core/internal";

const ESRCH = 3;
const EBADF = 9;

/** Calls `fn` with the pid of a process, and sees to it that this is nobody else's meanwhile, where that can be known. */
export function withPid<T>(
	who: number | Process | FileDescriptor,
	name: string,
	syscall: string,
	fn: (pid: number) => T,
): T {
	if (who instanceof ChildProcess) return ChildProcess.held(who, syscall, () => fn(who.visiblePid()));
	if (who instanceof Process) return fn(who.visiblePid());
	if (who instanceof FileDescriptor) return withPidOf(who, syscall, fn);
	if (typeof who !== "number") throw wrongType(name, "a number, a Process or a pidfd", who);
	return fn(checkPid(who, name, 0));
}

function withPidOf<T>(pidfd: FileDescriptor, syscall: string, fn: (pid: number) => T): T {
	const number = pidfd.number();
	const [pid = 0, ...inner] = pidsOf(number, syscall);
	// The numbers are those of the pid namespaces from the one of /proc to the process's own: one is that of the task.
	const here = [pid, ...inner].find((candidate) => isSame(candidate, pid, syscall));
	if (here === undefined) throw refusal("ESRCH", ESRCH, syscall);
	const result = fn(here);
	pidsOf(number, syscall);
	return result;
}

/** The pids of a pidfd's process, outermost namespace first. */
function pidsOf(number: number, syscall: string): number[] {
	const pids = pidsOfPidfd(number);
	if (!pids) throw refusal("EBADF", EBADF, syscall);
	if (pids.length === 0) throw refusal("ESRCH", ESRCH, syscall);
	return pids;
}

/** Whether a pid of the current task's namespace is that of the process which /proc numbers `expected`. */
function isSame(pid: number, expected: number, syscall: string): boolean {
	try {
		using pidfd = FileDescriptor.adopt(native().pidfdOpen(pid, 0));
		return pidsOf(pidfd.number(), syscall)[0] === expected;
	} catch (error) {
		if (error instanceof SyscallError && error.code === "ESRCH") return false;
		throw error;
	}
}

function refusal(code: string, errno: number, syscall: string): SyscallError {
	const task = currentTask();
	return new SyscallError({ code, errno, syscall }, task.isNear ? {} : { task: task.toString() });
}
