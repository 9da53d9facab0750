import { native } from "../addon/native.ts";
import { MultithreadedError } from "../errors.ts";
import { SyscallError } from "../syscall-error.ts";
import { currentTask, isInNode, nearTask } from "./target.ts";

/**
 * Refuses a call by pid that would change one thread of Node, even if a task makes the call.
 *
 * @param what - The call, for the error message.
 * @param pid - The pid that the call gets; 0 means the caller.
 */
export function refuseOneThread(what: string, pid: number): void {
	if (pid === 0 ? !isInNode() : !isOwnThread(pid)) return;
	throw new MultithreadedError(
		`${what} would change one thread of Node (process ${process.pid}) and leave its other threads as they are: make it in a task, for itself`,
	);
}

/**
 * Returns true when a pid of the current task's namespace is the id of a thread of Node. Asks with tgkill(2), because `/proc`
 * may belong to another pid namespace.
 */
export function isOwnThread(pid: number): boolean {
	if (currentTask().pidNamespace !== nearTask().pidNamespace) return false;
	try {
		nearTask().run(() => native().tgkill(process.pid, pid, 0));
		return true;
	} catch (error) {
		// Another error says nothing about the thread: a filter may refuse the call.
		return !(error instanceof SyscallError && error.code === "ESRCH");
	}
}
