import { native } from "../addon/native.ts";
import { MultithreadedError } from "../errors.ts";
import { currentTask, nearTask } from "./target.ts";

/** Throws where a call by `pid` would change one thread of Node; 0 is the calling one. A task may not do that either. */
export function refuseOneThread(what: string, pid: number): void {
	if (pid === 0 ? !currentTask().isNear : !isOwnThread(pid)) return;
	throw new MultithreadedError(
		`${what} would change one thread of Node and leave ${process.pid}'s others as they are: make it in a task, for itself`,
	);
}

/** Whether a pid of the current task's namespace is that of a thread of Node. Asked without `/proc`, which may be another's. */
function isOwnThread(pid: number): boolean {
	if (currentTask().pidNamespace !== nearTask().pidNamespace) return false;
	try {
		nearTask().run(() => native().tgkill(process.pid, pid, 0));
		return true;
	} catch {
		return false; // ESRCH: a stranger's
	}
}
