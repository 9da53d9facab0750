import { MultithreadedError } from "@nearfar/core";
import {
	currentTask,
	isInNode,
	native,
	onEveryThread,
	optionalBoolean,
	refuseEveryThread,
	wrongValue,
} from "@nearfar/core/internal";
import { landlockAbi } from "./abi.ts";
import { LandlockUnavailableError } from "./errors.ts";

const SYSCALL = "landlock_restrict_self";
/** The first version of the ABI that reaches every thread by one call. */
const ABI_OF_TSYNC = 8;

/** Which threads of Node a function restricts where its calls are made near. */
export interface LandlockThreads {
	/**
	 * `true`: near, every thread of Node is restricted, those of libuv, of Workers and of nearfar included, or none. Needs ABI 8
	 * (Linux 7.0). All threads get the domain of the calling thread: **a domain that another thread had of its own is replaced**, and
	 * what only that one refused is allowed again. In a task, which has one thread, the option changes nothing. Default: `false`, and the
	 * function is refused near.
	 */
	process?: boolean;
	/**
	 * `true`: in Node, the calling thread alone is restricted, and all other threads stay free. Whatever the thread has others do is not
	 * restricted: `node:fs/promises` runs in the threads of libuv. Tasks that are cloned later from this thread are, and
	 * those of other threads may be: nearfar cannot ask the kernel for a domain. Default: `false`.
	 */
	thread?: boolean;
}

/** Says which threads are restricted. */
export interface CheckedThreads {
	readonly process: boolean;
	readonly thread: boolean;
}

/** Checks which threads are restricted, and refuses to restrict one thread of Node that was not asked for, before any call. */
export function checkThreads(options: LandlockThreads): CheckedThreads {
	const process = optionalBoolean(options.process, "options.process") ?? false;
	const thread = optionalBoolean(options.thread, "options.thread") ?? false;
	if (process && thread) throw wrongValue("options.thread", "absent with options.process", thread);
	const task = currentTask();
	if (!thread && isInNode(task) && !task.isNear) {
		throw new MultithreadedError(
			`${SYSCALL} would restrict this thread of Node alone, whose other threads stay as they are: make it in a task, or pass { thread: true }`,
		);
	}
	if (!thread) refuseEveryThread({ process }, SYSCALL);
	if (process && task.isNear && landlockAbi() < ABI_OF_TSYNC) {
		throw new LandlockUnavailableError(
			`Landlock of this kernel (ABI ${landlockAbi()}) cannot restrict every thread of Node, which ABI ${ABI_OF_TSYNC} (Linux 7.0) can`,
			landlockAbi(),
			["tsync"],
			"restrict a task or a program, or start Node in a task that is restricted: separate calls in each thread would make strangers of them, whose scopes refuse each other",
		);
	}
	return { process, thread };
}

/** Restricts the threads that were chosen. */
export function restrict(ruleset: number, flags: number, { process, thread }: CheckedThreads): void {
	if (thread) native().landlockRestrictSelf(ruleset, flags, true);
	else onEveryThread({ process }, SYSCALL, () => native().landlockRestrictSelf(ruleset, flags, false));
}
