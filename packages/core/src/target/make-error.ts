import type { FailureData } from "../../native/binding.js";
import { BatchError, MultithreadedError, NearfarError } from "../errors.ts";
import { pathsText, SyscallError } from "../syscall-error.ts";
import { currentSubject, currentTask, type Executing, taskControl } from "./target.ts";

/**
 * Makes the error for a failure that the addon reports about a call of the current task.
 *
 * @param failure - The failure.
 * @param executing - For a batch that executes a program on behalf of another function: that function.
 */
export function makeError(failure: FailureData, executing?: Executing): Error {
	const task = currentTask();
	const call = failure.syscall ?? "call";
	switch (failure.kind) {
		case "refused": {
			const { code = "", errno = 0, syscall = "", message, words } = failure;
			const subject = currentSubject();
			const paths = {
				...(hasPath(failure) && { path: `${failure.path}` }),
				...(failure.dest?.length && { dest: failure.dest.toString() }),
			};
			const asked = isExec(syscall) ? executing : undefined;
			const fd = asked?.descriptor ?? failure.fd ?? undefined;
			const about = {
				...paths,
				...(failure.step !== undefined && failure.step !== null && { step: failure.step }),
				...(task.pid !== process.pid && { task: task.toString() }),
				...(subject?.command && { command: subject.command }),
				...(subject?.hint !== undefined && code === "ECHILD" && { hint: subject.hint }),
			};
			const refusal = {
				code,
				errno,
				syscall,
				...(message && { message }),
				...(words && { words }),
				...(asked && { call: asked.call }),
				...(fd !== undefined && { object: [`fd ${fd}`, pathsText(paths)].filter(Boolean).join(" ") }),
				...(subject && { of: subject.process.toString() }),
			};
			return new SyscallError(refusal, about);
		}
		case "gone":
			return taskControl().goneError(task);
		case "broken":
			return taskControl().goneError(task, failure.message);
		case "batch":
			return new BatchError(
				`${call} returns a value, and in a batch no call has run yet: make it before, or in task.run()`,
			);
		case "sealed":
			return new BatchError(`${call} after exec: a batch ends with the program that it executes`);
		case "multithreaded":
			return new MultithreadedError(
				`${call} would change this thread of Node (process ${process.pid}) and leave its other threads as they are: make it in a task`,
			);
		default:
			return new NearfarError("INTERNAL", failure.message ?? `unknown failure ${failure.kind}`);
	}
}

function isExec(syscall: string): boolean {
	return syscall === "execve" || syscall === "execveat";
}

/** Returns whether the path of a failed call tells something. An empty one beside a descriptor means the open file itself. */
function hasPath({ path, syscall = "" }: FailureData): boolean {
	return path !== undefined && path !== null && (path.length > 0 || syscall === "execve");
}
