import type { FailureData } from "../../native/binding.js";
import { outOfRange } from "../arguments.ts";
import { BatchError, MultithreadedError, NearfarError, ThreadsError } from "../errors.ts";
import { SyscallError } from "../syscall-error.ts";
import { logLines } from "./context-log.ts";
import { quietly } from "./explained.ts";
import { hintFor } from "./hint.ts";
import { objectText } from "./object-text.ts";
import { reachedLimit } from "./reached-limit.ts";
import { currentFile, currentSubject, currentTask, type Executing, taskControl, taskOf } from "./target.ts";

/**
 * Makes the error for a failure that the addon reports about a call of the current task.
 *
 * @param failure - The failure.
 * @param executing - For a batch that executes a program on behalf of another function: that function.
 */
export function makeError(failure: FailureData, executing?: Executing): Error {
	const task = currentTask();
	const call = [failure.syscall ?? "call", objectText(failure, {}, undefined)].filter(Boolean).join(" ");
	switch (failure.kind) {
		case "refused": {
			const { code = "", errno = 0, syscall = "", message } = failure;
			const words = failure.words ?? wordsForLimit(code, syscall);
			const path = currentFile() ?? (hasPath(failure) ? `${failure.path}` : undefined);
			const subject = currentSubject();
			const paths = {
				...(path !== undefined && { path }),
				...(failure.dest?.length && { dest: failure.dest.toString() }),
			};
			const asked = isExec(syscall) ? executing : undefined;
			const object = objectText(failure, paths, asked?.descriptor ?? failure.fd ?? undefined);
			const hint =
				code === "ECHILD" && subject ? subject.hint : (reasonFor(failure, paths.path) ?? hintFor(failure, paths));
			const about = {
				...paths,
				...(failure.step !== undefined && failure.step !== null && { step: failure.step }),
				...taskOf(task),
				...(subject?.command && { command: subject.command }),
				...(hint !== undefined && { hint }),
				...(failure.log?.length && { log: logLines(failure.log).map(({ text }) => text) }),
			};
			const refusal = {
				code,
				errno,
				syscall,
				...(message && { message }),
				...(words && { words }),
				...(asked && { call: asked.call }),
				...(object !== undefined && { object }),
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
		case "unchanged": {
			const { code = "", words, thread } = failure;
			const about = thread && {
				tid: thread.tid,
				threadName: thread.name,
				...(thread.state && { state: thread.state }),
			};
			return new ThreadsError(code, `cannot change this process: ${words}; every thread is as it was`, about);
		}
		case "threads":
			return outOfRange("the number of threads of this process", `at most ${failure.number}`, failure.errno);
		default:
			return new NearfarError("INTERNAL", failure.message ?? `unknown failure ${failure.kind}`);
	}
}

/** Returns what stands in the way of a call for which a privilege is missing, or the /proc that nearfar and its users read. */
function reasonFor(failure: FailureData, path: string | undefined): string | undefined {
	const isInProc = failure.code === "ENOENT" && path !== undefined && /^\/proc(\/|$)/.test(path);
	if (failure.code !== "EPERM" && !isInProc) return undefined;
	return quietly(() => taskControl().hint(failure));
}

/** Returns the limit for which a call that starts a process or makes a namespace was refused, in words. */
function wordsForLimit(code: string, syscall: string): string | undefined {
	if (code === "ENOSPC" && (syscall === "clone3" || syscall === "unshare")) {
		return "a limit on namespaces is reached (/proc/sys/user/max_*_namespaces), or 32 are nested";
	}
	if (code !== "EAGAIN") return undefined;
	if (isExec(syscall)) return "RLIMIT_NPROC is reached for the user that the task has become";
	// Threads and zygotes are made by this process. The limits of a task that clones are looked at where it is known.
	return syscall === "clone" || syscall === "clone3" ? reachedLimit("/proc/self") : undefined;
}

function isExec(syscall: string): boolean {
	return syscall === "execve" || syscall === "execveat";
}

/** Returns whether the path of a failed call tells something. An empty one beside a descriptor means the open file itself. */
function hasPath({ path, syscall = "" }: FailureData): boolean {
	return path !== undefined && path !== null && (path.length > 0 || syscall === "execve");
}
