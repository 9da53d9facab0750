import { native } from "../addon/native.ts";
import { pid as checkPid, wrongType } from "../arguments.ts";
import { adoptDescriptor, FileDescriptor, numberOf } from "../files/descriptor.ts";
import { openSelf } from "../files/pidfd.ts";
import { SyscallError } from "../syscall-error.ts";
import { type AnyTask, currentBatch, currentTask, nearTask, taskOf } from "../target/target.ts";
import type { Task } from "../task/task.ts";
import { ChildProcess } from "./child.ts";
import { trackerOf } from "./child-tracker.ts";
import { Process, pidForCurrentTask } from "./process.ts";

const ESRCH = 3;

/**
 * The ways to say which process is meant: a task, a process, a pidfd of the current task, or a pid in the pid namespace of the
 * current task.
 *
 * A task and a child are always found, also from another pid namespace. A number and any other `Process` mean the process that
 * has the pid at the moment of the call.
 *
 * @example
 * ```ts
 * const processes: ProcessLike[] = [Task.near, process.ppid, new Process(process.ppid)];
 * ```
 */
export type ProcessLike = Task<Process> | Process | FileDescriptor | number;

/**
 * Calls `fn` with a pidfd of the current task that stands for a process. Inside a batch the pidfd can be a slot, and `fn` then only
 * collects calls.
 *
 * The pidfd of a task or of a child is a copy of its own one, so that the process is the right one in every pid namespace.
 * Of a thread of this process `fn` gets the pidfd of this process.
 *
 * @param process - The process.
 * @param fn - Makes the calls. A pidfd that was not given by the caller is closed afterwards.
 * @param name - The name of the parameter for error messages.
 */
export function withPidfd<T>(process: ProcessLike, fn: (pidfd: number) => T, name = "process"): T {
	if (process instanceof FileDescriptor) return fn(numberOf(process, name));
	if (process instanceof ChildProcess) return withNearDescriptor(() => openChild(process), fn);
	if (process instanceof Process) return withPid(pidForCurrentTask(process), fn);
	if (typeof process === "number") return withPid(checkPid(process, name), fn);
	if (!isTask(process)) throw wrongType(name, "a Task, a Process, a pidfd or a number", process);
	const child = process.process;
	return withNearDescriptor(() => (child instanceof ChildProcess ? openChild(child) : openSelf()), fn);
}

/** Returns whether a value is a task. This floor cannot import the class. */
export function isTask(value: unknown): value is AnyTask {
	return value instanceof nearTask().constructor;
}

/**
 * Calls `fn` with the number that a descriptor of this process has in the current task, as a copy where the table is another one.
 *
 * @param open - Makes the descriptor in this process.
 * @param fn - Makes the calls. The descriptor and the copy are closed afterwards.
 */
export function withNearDescriptor<T>(open: () => FileDescriptor, fn: (fd: number) => T): T {
	const near = nearTask().run(open);
	const task = currentTask();
	const batch = currentBatch();
	if (batch && task.fdTable === near.table) {
		batch.whenEnded.push(() => near.close()); // the calls that `fn` collects need it until then
		return fn(numberOf(near));
	}
	using original = near;
	if (task.fdTable === near.table) return fn(numberOf(original));
	using copy = task.put(original);
	return fn(numberOf(copy));
}

/** Without an object for the pidfd, which would take longer to make than the calls. */
function withPid<T>(pid: number, fn: (pidfd: number) => T): T {
	const pidfd = native().pidfdOpen(pid, 0);
	try {
		return fn(pidfd);
	} finally {
		native().close(pidfd);
	}
}

/**
 * Opens another pidfd of a child in this process, from the one that the addon holds until the child has died.
 *
 * @param path - The file that the error of a child that has died names.
 */
export function openChild(child: ChildProcess, path?: string): FileDescriptor {
	const tracker = trackerOf(child);
	tracker.assertCloned("open");
	const number = tracker.named(() => native().childPidfd(tracker.id));
	if (number >= 0) return adoptDescriptor(number);
	const about = { ...(path !== undefined && { path }), ...taskOf() };
	throw new SyscallError({ code: "ESRCH", errno: ESRCH, syscall: "pidfd_open", of: String(child) }, about);
}
