import type { Event } from "../../native/binding.js";
import { native } from "../addon/native.ts";
import { abandon, once } from "../addon/request.ts";
import { beginSharedClone, endSharedClone, PidNamespace, refuseDuringClosing } from "../identity.ts";
import { ChildProcess, ThreadProcess } from "../process/child.ts";
import { trackerOf } from "../process/child-tracker.ts";
import { type AnyTask, nearTask, withTarget } from "../target/target.ts";
import { runBatch } from "./batch.ts";
import type { CloneData, CloneOptions } from "./clone-options.ts";
import { endTask } from "./end.ts";
import { cleanUpAfterDeath, shareMemory, shareTable } from "./sharing.ts";
import { NEAR, stateOf, type TaskParts } from "./state.ts";
import type { Task } from "./task.ts";

/** Makes the object for a task: the constructor is private to `Task`. */
export type MakeTask = (parts: TaskParts<ChildProcess>) => Task;

/** A clone that is under way. */
export interface Cloning {
	readonly task: Task;
	/** Resolves with the failure, or `undefined` when the clone has succeeded, or when {@link Cloning.leave} was called. */
	readonly outcome: Promise<Event["failure"]>;
	/** Resolves when the first batch has ended, if it was sent along with the clone. */
	readonly firstBatch: Promise<void> | undefined;
	/** Stops waiting for the clone: the cloning task may be busy for ever. */
	leave(): void;
	/** Kills and reaps the task, whatever it has become. After {@link Cloning.leave} that happens when the task appears. */
	end(): Promise<void>;
}

/**
 * Starts to clone a task.
 *
 * @param parent - The task that clones. `undefined`: the zygote.
 * @param data - The checked options.
 * @param options - As the user has given them.
 * @param makeTask - Makes the object.
 */
export function startClone(
	parent: AnyTask | undefined,
	data: CloneData,
	options: CloneOptions,
	makeTask: MakeTask,
): Cloning {
	const table = parent && options.share?.includes("files") ? parent.fdTable : undefined;
	if (table && parent) refuseDuringClosing(table, parent);
	// Where `run` of another task is on the stack, a refusal is not that task's.
	const { id, early } = withTarget(parent ?? nearTask(), undefined, () =>
		parent ? native().cloneFrom(stateOf(parent).id, data) : native().clone(data),
	);
	const task = makeTask(partsOf(id, parent, options));
	if (table) beginSharedClone(table);
	if (parent) stateOf(parent).requests++;
	const receive = (reply: Event) => {
		if (parent) stateOf(parent).requests--;
		if (table) endSharedClone(table);
		if (reply.failure) cloneFailed(task);
		else cloneSucceeded(task, reply, parent, options);
	};
	const appeared = once(id, receive).then(({ failure }) => failure);
	const { begin } = options;
	const firstBatch = begin && early ? runBatch(task, id, () => begin(task), appeared) : undefined;
	firstBatch?.catch(() => {}); // when the clone fails, so does the batch: the failure of the clone is the reason to report
	const end = () => appeared.then(() => endTask(task));
	// Without a signal the clone is never given up.
	if (!options.signal) return { task, outcome: appeared, firstBatch, leave() {}, end };
	const { left, leave } = makeLeave(id, appeared);
	return { task, outcome: Promise.race([appeared, left]), firstBatch, leave, end: () => Promise.race([end(), left]) };
}

/** Returns what a task that is being cloned is made of. */
function partsOf(
	id: number,
	parent: AnyTask | undefined,
	{ namespaces = [], share = [] }: CloneOptions,
): TaskParts<ChildProcess> {
	const { childPids, kinds, entered, entering, signalsTouched } = stateOf(parent ?? nearTask());
	const Kind = share.includes("vm") ? ThreadProcess : ChildProcess;
	const process = new Kind(id, nearTask().pidNamespace);
	const own = namespaces.includes("pid") ? new PidNamespace(() => process) : undefined;
	const pids = own ? () => own : childPids;
	return {
		id,
		process,
		kinds: [...kinds, ...namespaces],
		cloned: namespaces,
		entered: [...entered].filter((kind) => !namespaces.includes(kind)),
		entering,
		pids,
		...(parent && { cloner: parent }),
		signalsTouched,
	};
}

/** Notes that the clone of a task has succeeded. */
function cloneSucceeded(
	task: Task,
	{ numbers }: Event,
	parent: AnyTask | undefined,
	{ namespaces = [], share = [] }: CloneOptions,
): void {
	const [pid = 0, block = 0, channel = -1] = numbers;
	const state = stateOf(task);
	const { leftovers } = state;
	const creator = parent && stateOf(parent);
	// A clone with namespaces of its own leaves those that the children of its creator get as they are.
	for (const kind of creator?.withoutChild ?? []) {
		if (!namespaces.includes(kind)) creator?.withoutChild.delete(kind);
	}
	if (creator && share.includes("vm")) shareMemory(state, creator, block);
	if (creator && share.includes("files")) shareTable(state, creator, channel);
	// The listener for the task's end must not keep the task from being collected.
	const self = new WeakRef(task);
	const tracker = trackerOf(task.process);
	tracker.task = self;
	if (parent) tracker.cloner = new WeakRef(parent);
	tracker.appeared(pid, creator?.id ?? NEAR, () => {
		const ended = self.deref();
		if (ended?.state === "live") stateOf(ended).leave("exited");
		cleanUpAfterDeath(leftovers);
	});
}

/** Notes that the clone of a task has failed. */
function cloneFailed(task: Task): void {
	stateOf(task).leave("exited");
	trackerOf(task.process).failed();
}

/** Returns a function that stops waiting for the reply to request `id`, and a promise that resolves when it is called. */
function makeLeave(id: number, appeared: Promise<unknown>): { left: Promise<undefined>; leave(): void } {
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
