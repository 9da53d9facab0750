import type { Event } from "../../native/binding.js";
import { dispatch, native } from "../addon/native.ts";
import { abandon, once } from "../addon/request.ts";
import { TaskGoneError } from "../errors.ts";
import { beginSharedClone, endSharedClone, PidNamespace, refuseDuringClosing } from "../identity.ts";
import { ChildProcess, ThreadProcess } from "../process/child.ts";
import { trackerOf } from "../process/child-tracker.ts";
import { makeError } from "../target/make-error.ts";
import { type AnyTask, nearTask, withTarget } from "../target/target.ts";
import { runBatch } from "./batch.ts";
import { type CloneData, type CloneOptions, checkClone } from "./clone-options.ts";
import { writeMaps } from "./idmap.ts";
import { afterPatience } from "./patience.ts";
import { cleanUpAfterDeath, shareMemory, shareTable } from "./sharing.ts";
import { stateOf, type TaskParts } from "./state.ts";
import type { Task } from "./task.ts";

const SIGKILL = 9;

/** Makes the object for a task: the constructor is private to `Task`. */
type MakeTask = (parts: TaskParts<ChildProcess>) => Task;

/**
 * Clones a task.
 *
 * @param parent - The task that clones. `undefined`: the zygote.
 * @param options - As the user has given them.
 * @param makeTask - Makes the object.
 */
export async function cloneTask(
	parent: AnyTask | undefined,
	options: CloneOptions = {},
	makeTask: MakeTask,
): Promise<Task> {
	const { data, maps } = checkClone(parent, options);
	const { begin, signal } = options;
	signal?.throwIfAborted();
	let cloning = clone(parent, data, options, makeTask);
	const abort = () => {
		if (!stopTask(cloning.task)) afterPatience(cloning.leave);
	};
	signal?.addEventListener("abort", abort, { once: true });
	if (signal?.aborted) abort(); // `begin` has aborted the signal
	try {
		let failure = await cloning.answered;
		// The zygote died before it replied. Another zygote clones, unless a first batch may have run already.
		if (failure?.kind === "gone" && !parent && !cloning.begun && !signal?.aborted) {
			cloning = clone(parent, data, options, makeTask);
			failure = await cloning.answered;
		}
		signal?.throwIfAborted();
		// If the parent is gone, `makeError` below says so. If the parent lives, the new task was killed before it could reply.
		if (failure?.kind === "gone" && parent && isAlive(parent)) {
			throw new TaskGoneError(`a task that ${parent} has cloned was killed before it could reply: try again`);
		}
		if (failure) throw withTarget(parent ?? nearTask(), undefined, () => makeError(failure));
		const { task, begun } = cloning;
		if (maps) writeMaps(task.pid, maps, parent);
		await (begun ?? (begin && task.batch(() => begin(task))));
		signal?.throwIfAborted();
		return task;
	} catch (error) {
		await cloning.end();
		signal?.throwIfAborted();
		throw error;
	} finally {
		signal?.removeEventListener("abort", abort);
	}
}

function isAlive(task: AnyTask): boolean {
	const { process, state } = task;
	if (state !== "live" || !(process instanceof ChildProcess)) return false;
	return process.poll({ exited: true, nowait: true }) === undefined;
}

interface Cloning {
	readonly task: Task;
	/** Resolves with the failure, or `undefined` when the clone has succeeded, or when {@link Cloning.leave} was called. */
	readonly answered: Promise<Event["failure"]>;
	/** Resolves when the first batch has ended, if it was sent along with the clone. */
	readonly begun: Promise<void> | undefined;
	/** Stops waiting for the clone: the cloning task may be busy for ever. */
	leave(): void;
	/** Kills and reaps the task, whatever it has become. After {@link Cloning.leave} that happens when the task appears. */
	end(): Promise<void>;
}

function clone(parent: AnyTask | undefined, data: CloneData, options: CloneOptions, makeTask: MakeTask): Cloning {
	const table = parent && options.share?.includes("files") ? parent.fdTable : undefined;
	if (table && parent) refuseDuringClosing(table, parent);
	const { id, early } = parent ? native().cloneFrom(stateOf(parent).id, data) : native().clone(data);
	const task = makeTask(partsOf(id, parent, options));
	if (table) beginSharedClone(table);
	const receive = (reply: Event) => {
		if (table) endSharedClone(table);
		if (reply.failure) failed(task);
		else succeeded(task, reply, parent, options);
	};
	const appeared = once(id, receive).then(({ failure }) => failure);
	const { begin } = options;
	const begun = begin && early ? runBatch(task, id, () => begin(task), appeared) : undefined;
	begun?.catch(() => {}); // when the clone fails, so does the batch: the failure of the clone is the reason to report
	const end = () => appeared.then(() => endTask(task));
	// Without a signal the clone is never given up.
	if (!options.signal) return { task, answered: appeared, begun, leave() {}, end };
	const { left, leave } = leaving(id, appeared);
	return { task, answered: Promise.race([appeared, left]), begun, leave, end: () => Promise.race([end(), left]) };
}

/** Returns what a task that is being cloned is made of. */
function partsOf(
	id: number,
	parent: AnyTask | undefined,
	{ namespaces = [], share = [] }: CloneOptions,
): TaskParts<ChildProcess> {
	const { childPids, kinds, signalsTouched } = stateOf(parent ?? nearTask());
	const Kind = share.includes("vm") ? ThreadProcess : ChildProcess;
	const process = new Kind(id, nearTask().pidNamespace);
	const own = namespaces.includes("pid") ? new PidNamespace(() => process) : undefined;
	const pids = own ? () => own : childPids;
	return { id, process, kinds: [...kinds, ...namespaces], pids, nested: parent !== undefined, signalsTouched };
}

/** Notes that the clone of a task has succeeded. */
function succeeded(task: Task, { numbers }: Event, parent: AnyTask | undefined, { share = [] }: CloneOptions): void {
	const [pid = 0, block = 0, channel = -1] = numbers;
	const state = stateOf(task);
	const { leftovers } = state;
	const creator = parent && stateOf(parent);
	if (creator && share.includes("vm")) shareMemory(state, creator, block);
	if (creator && share.includes("files")) shareTable(state, creator, channel);
	// The listener for the task's end must not keep the task from being collected.
	const self = new WeakRef(task);
	trackerOf(task.process).appeared(pid, () => {
		const ended = self.deref();
		if (ended?.state === "live") stateOf(ended).leave("exited");
		cleanUpAfterDeath(leftovers);
	});
}

/** Notes that the clone of a task has failed. */
function failed(task: Task): void {
	stateOf(task).leave("exited");
	trackerOf(task.process).failed();
}

/** Returns a function that stops waiting for the reply to request `id`, and a promise that resolves when it is called. */
function leaving(id: number, appeared: Promise<unknown>): { left: Promise<undefined>; leave(): void } {
	let known = false;
	let leave = () => {};
	const left = new Promise<undefined>((resolve) => {
		leave = () => {
			if (!known) abandon(id);
			resolve(undefined);
		};
	});
	appeared.then(() => {
		known = true;
	});
	return { left, leave };
}

/**
 * Ends the clone of a task, or its first batch: the promises of both settle. Returns false when the task does not exist yet.
 */
function stopTask(task: Task): boolean {
	dispatch(); // while a task is busy with a first batch, the addon does not wake JavaScript for its events
	const id = stateOf(task).id;
	try {
		if (native().killChild(id, SIGKILL)) return true;
	} catch {
		native().hangUp(id); // the task has become another user's: it ends when its call has returned
		return true;
	}
	native().hangUp(id);
	return false;
}

/**
 * Kills and reaps a task, or the program that it has become.
 *
 * @param task - The task.
 */
export async function endTask(task: Task): Promise<void> {
	if (task.state === "exec") await task.process[Symbol.asyncDispose]();
	else await task[Symbol.asyncDispose]();
}
