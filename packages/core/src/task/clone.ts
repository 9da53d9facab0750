import { throwIfAborted } from "../abortable.ts";
import { native } from "../addon/native.ts";
import { outsideOtherCopies } from "../copies.ts";
import { TaskGoneError } from "../errors.ts";
import { hintForCgroup } from "../obstacles/cgroup-hint.ts";
import { hintForNamespaces } from "../obstacles/namespace-hint.ts";
import { ChildProcess } from "../process/child.ts";
import { SyscallError } from "../syscall-error.ts";
import { addHint } from "../target/explained.ts";
import { makeError } from "../target/make-error.ts";
import { type AnyTask, nearTask, withTarget } from "../target/target.ts";
import { type CloneOptions, checkClone, namespaceCall } from "./clone-options.ts";
import { explainRefusal } from "./clone-refusal.ts";
import { type MakeTask, startClone } from "./cloning.ts";
import { stopTask } from "./end.ts";
import { goneError } from "./gone.ts";
import type { CheckedMaps } from "./idmap.ts";
import { MapTarget } from "./map-target.ts";
import { writeMaps } from "./map-writer.ts";
import { afterPatience } from "./patience.ts";
import { stateOf } from "./state.ts";
import type { Task } from "./task.ts";

/**
 * Clones a task.
 *
 * @param by - The task that clones. `undefined`: the keeper of the cgroup where there is one, else the zygote.
 * @param options - As the user has given them.
 * @param makeTask - Makes the object.
 */
export async function cloneTask(
	by: AnyTask | undefined,
	options: CloneOptions = {},
	makeTask: MakeTask,
): Promise<Task> {
	const { data, maps, place, cloner: parent } = checkClone(by, options);
	const { begin, signal } = options;
	throwIfAborted(signal);
	const throughKeeper = parent !== undefined && parent === place?.keeper ? place : undefined;
	if (throughKeeper && parent && parent.state !== "live") throw throughKeeper.refused(goneError(stateOf(parent)));
	let cloning = startClone(parent, data, options, makeTask);
	const giveUp = () => {
		if (!stopTask(cloning.task)) afterPatience(cloning.leave);
	};
	const abort = () => outsideOtherCopies(giveUp);
	signal?.addEventListener("abort", abort, { once: true });
	if (signal?.aborted) abort(); // `begin` has aborted the signal
	try {
		let failure = await cloning.outcome;
		// The zygote died before it replied. Another zygote clones, unless a first batch may have run already.
		if (failure?.kind === "gone" && !parent && !cloning.firstBatch && !signal?.aborted) {
			cloning = startClone(parent, data, options, makeTask);
			failure = await cloning.outcome;
		}
		throwIfAborted(signal);
		// If the parent is gone, `makeError` below says so. A parent that is just ending has closed its channel, and still runs for the
		// kernel. If the channel is open, the new task was killed before it could reply.
		if (failure?.kind === "gone" && parent && !native().isHungUp(stateOf(parent).id)) {
			throw new TaskGoneError(`a task that ${parent} has cloned was killed before it could reply: try again`);
		}
		if (failure) {
			const explained = explainRefusal(failure, parent, options, place?.fd);
			const cloner = parent ?? nearTask();
			const error = withTarget(cloner, undefined, () => makeError(explained));
			if (error instanceof TaskGoneError && throughKeeper) throw throughKeeper.refused(error);
			if (!(error instanceof SyscallError && isClone(error))) throw error;
			addHint(error, () => hintForNamespaces(cloner, error, namespaceCall(options)));
			if (!place) throw error;
			addHint(error, () => hintForCgroup(error, place.fd.fd, cloner));
			throw place.refused(error);
		}
		const { task, firstBatch } = cloning;
		if (maps) await writeMapsOf(task, maps, parent ?? nearTask(), signal);
		await (firstBatch ?? (begin && task.batch(() => begin(task))));
		throwIfAborted(signal);
		return task;
	} catch (error) {
		await cloning.end();
		throwIfAborted(signal);
		throw error;
	} finally {
		signal?.removeEventListener("abort", abort);
	}
}

/** Writes the maps of a new task. A task that has ended meanwhile is the reason to report, and not the call that has met its end. */
async function writeMapsOf(task: Task, maps: CheckedMaps, by: AnyTask, signal: AbortSignal | undefined): Promise<void> {
	try {
		using target = MapTarget.of(task);
		await writeMaps(target, maps, by, signal);
	} catch (error) {
		if (error instanceof SyscallError && error.code === "ESRCH" && !isAlive(task)) throw goneError(stateOf(task));
		throw error;
	}
}

/** True for an error of the clone itself. An error of a step of the new task, such as its first batch, is not about the namespaces. */
function isClone({ syscall }: SyscallError): boolean {
	return syscall === "clone" || syscall === "clone3";
}

function isAlive(task: AnyTask): boolean {
	const { process, state } = task;
	if (state !== "live" || !(process instanceof ChildProcess)) return false;
	return process.poll({ exited: true, nowait: true }) === undefined;
}
