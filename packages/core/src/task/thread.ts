import type { Event } from "../../native/binding.js";
import { abortable, throwIfAborted } from "../abortable.ts";
import { forget, listen } from "../addon/events.ts";
import { namespaceFlags } from "../addon/flags.generated.ts";
import { toBits } from "../addon/flags.ts";
import { native } from "../addon/native.ts";
import { abandon, once } from "../addon/request.ts";
import { abortSignal, array, options as checkOptions } from "../arguments.ts";
import { MultithreadedError, NearfarError } from "../errors.ts";
import { type FileDescriptor, numberOf } from "../files/descriptor.ts";
import { namespaceFlag } from "../files/namespace-file.ts";
import { hintForNewThread } from "../obstacles/namespace-hint.ts";
import { hintForNoNamespace } from "../obstacles/no-namespace-hint.ts";
import type { Process } from "../process/process.ts";
import { SyscallError } from "../syscall-error.ts";
import { addHint } from "../target/explained.ts";
import { makeError } from "../target/make-error.ts";
import { type AnyTask, nearTask, withTarget } from "../target/target.ts";
import { stateOf, type TaskParts, type TaskState } from "./state.ts";

/**
 * The kinds of namespaces that a single thread of Node may have of its own.
 *
 * @example
 * ```ts
 * // as root
 * const kinds: readonly ThreadKind[] = ["net", "uts"];
 * await using thread = await Task.thread({ namespaces: kinds });
 * ```
 */
export type ThreadKind = keyof typeof threadFlags;

const { cgroup, ipc, mnt, net, uts } = namespaceFlags;
const threadFlags = { cgroup, ipc, mnt, net, uts } as const;

/** The namespaces of a new thread. */
export interface ThreadOptions {
	/** The kinds of namespaces of which the thread makes new ones, after it has entered those of `join`. Default: none. */
	namespaces?: readonly ThreadKind[];
	/** The namespaces that the thread enters, in order: descriptors of this process, which the caller closes. Default: none. */
	join?: readonly FileDescriptor[];
	/** Gives up when aborted: the thread ends as soon as it has begun. Has no effect after the promise has resolved. */
	signal?: AbortSignal;
}

/**
 * Starts a thread of this process that makes calls and nothing else.
 *
 * @param options - As the user has given them.
 * @param makeTask - Makes the object.
 */
export async function startThread(
	options: ThreadOptions = {},
	makeTask: (parts: TaskParts<Process>) => AnyTask,
): Promise<AnyTask> {
	const { namespaces = [], join = [], signal } = checkOptions(options, ["namespaces", "join", "signal"]);
	abortSignal(signal);
	const make = toBits(threadFlags, array(namespaces, "options.namespaces"), "options.namespaces");
	const near = nearTask();
	const joined = near.run(() => array(join, "options.join").map(toEntered));
	const entered = joined.map(({ kind }) => kind);
	throwIfAborted(signal);
	const id = near.run(() =>
		native().startThread(
			joined.flatMap(({ fd, kind }) => [fd, threadFlags[kind]]),
			make,
		),
	);
	let end = () => {};
	const ended = new Promise<void>((resolve) => {
		end = resolve;
	});
	const begun = once(id, () =>
		listen(id, () => {
			forget(id);
			end();
		}),
	);
	const { failure, numbers } = await abortable<Event>(signal, (resolve, reject) => {
		begun.then(resolve, reject);
		return () => {
			native().forgetTask(id);
			abandon(id);
		};
	});
	const kinds = [...entered, ...namespaces];
	if (failure) {
		forget(id);
		native().forgetTask(id);
		const error = withTarget(near, undefined, () => makeError(failure));
		if (error instanceof SyscallError) addHint(error, () => hintForNewThread(near, error, kinds));
		throw error;
	}
	const [tid = 0] = numbers;
	const thread = makeTask({
		id,
		process: near.process,
		kinds,
		cloned: namespaces,
		entered: entered.filter((kind) => !namespaces.includes(kind)),
		pids: () => near.pidNamespace,
		thread: { tid, ended },
	});
	const state = stateOf(thread);
	state.fdTable = near.fdTable;
	state.addressSpace = near.addressSpace;
	return thread;
}

/** Returns the number of a namespace and its kind. Refuses a kind that one thread cannot have of its own. */
function toEntered(fd: FileDescriptor, index: number): { fd: number; kind: ThreadKind } {
	const number = numberOf(fd, `options.join[${index}]`);
	const kind = kindOf(flagOf(fd, number));
	if (!kind) {
		throw new MultithreadedError(
			`setns would move one thread of Node (process ${process.pid}) into a namespace that all threads have to be in (options.join[${index}]): a thread may join ${Object.keys(threadFlags).join(", ")}; use Task.clone for the others`,
		);
	}
	return { fd: number, kind };
}

/** Asks for the kind of a namespace. A descriptor that is none is refused with a hint. */
function flagOf(fd: FileDescriptor, number: number): number {
	try {
		return namespaceFlag(number);
	} catch (error) {
		if (error instanceof SyscallError && error.code === "ENOTTY") addHint(error, () => hintForNoNamespace(fd));
		throw error;
	}
}

function kindOf(flag: number): ThreadKind | undefined {
	return (Object.keys(threadFlags) as ThreadKind[]).find((kind) => threadFlags[kind] === flag);
}

/** Refuses what a thread cannot do, because it is no process. */
export function refuseThread({ thread, task }: TaskState, what: string): void {
	if (thread) throw new NearfarError("THREAD", `cannot ${what} ${task}: a thread is part of Node: use Task.clone`);
}
