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
import { later } from "./patience.ts";
import { cleanUpAfterDeath, shareMemory, shareTable } from "./sharing.ts";
import { stateOf, type TaskParts } from "./state.ts";
import type { Task } from "./task.ts";

const SIGKILL = 9;

/** Makes the object for a task. */
type MakeTask = (parts: TaskParts<ChildProcess>) => Task;

/** Clones a task from `parent`, or from the zygote. */
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
		if (!stop(cloning.task)) later(cloning.leave);
	};
	signal?.addEventListener("abort", abort, { once: true });
	if (signal?.aborted) abort(); // in `begin`
	try {
		let failure = await cloning.answered;
		// The zygote died before it had told of anything: another one takes its place, unless a first batch may have run.
		if (failure?.kind === "gone" && !parent && !cloning.begun && !signal?.aborted) {
			cloning = clone(parent, data, options, makeTask);
			failure = await cloning.answered;
		}
		signal?.throwIfAborted();
		// A parent that is gone says so itself. One that is not has lost its child: nothing has become of it.
		if (failure?.kind === "gone" && parent && isAlive(parent)) {
			throw new TaskGoneError(`a task that ${parent} cloned was killed before it could say so: try again`);
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
	/** When it is known whether it is there, and else why not; or nobody waits for that any more. */
	readonly answered: Promise<Event["failure"]>;
	/** Its first batch, where that was sent along. */
	readonly begun: Promise<void> | undefined;
	/** Who clones it may be busy for ever: it is not waited for any more. */
	leave(): void;
	/** Kills and reaps the task, whatever it is by now; one that nobody waits for when it is there. */
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
	begun?.catch(() => {}); // where the clone fails this does too, and that is not the reason
	const end = () => appeared.then(() => endTask(task));
	// Mostly nobody can give up.
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

/** How not to wait any more for the event about request `id`, and a promise that says so. */
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

/** Ends what a task is in the middle of, be that its clone or its first batch: both hear of it. `false`: it is not there. */
function stop(task: Task): boolean {
	dispatch(); // of one that is busy nobody is told
	const id = stateOf(task).id;
	try {
		if (native().killChild(id, SIGKILL)) return true;
	} catch {
		native().hangUp(id); // it has become another user's, and ends when it has made its call
		return true;
	}
	native().hangUp(id);
	return false;
}

/** Kills and reaps a task, or the program that it has become. */
export async function endTask(task: Task): Promise<void> {
	if (task.state === "exec") await task.process[Symbol.asyncDispose]();
	else await task[Symbol.asyncDispose]();
}
