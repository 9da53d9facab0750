import type { FailureData } from "../../native/binding.js";
import { BatchError, MultithreadedError, NearfarError } from "../errors.ts";
import { SyscallError } from "../syscall-error.ts";
import { currentSubject, currentTask, taskControl } from "./target.ts";

/** Makes the error for a failure that the addon reports about a call of the current task. */
export function makeError(failure: FailureData): Error {
	const task = currentTask();
	const call = failure.syscall ?? "call";
	switch (failure.kind) {
		case "refused": {
			const { code = "", errno = 0, syscall = "", message, words } = failure;
			const subject = currentSubject();
			const about = {
				...(failure.path?.length && { path: failure.path.toString() }),
				...(failure.dest?.length && { dest: failure.dest.toString() }),
				...(failure.step !== undefined && failure.step !== null && { step: failure.step }),
				...(task.pid !== process.pid && { task: task.toString() }),
				...(subject?.command && { command: subject.command }),
				...(subject?.hint !== undefined && code === "ECHILD" && { hint: subject.hint }),
			};
			const of = subject && { of: subject.process.toString() };
			return new SyscallError(
				{ code, errno, syscall, ...(message && { message }), ...(words && { words }), ...of },
				about,
			);
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
