import { native } from "../addon/native.ts";
import { outOfRange } from "../arguments.ts";
import { TaskGoneError } from "../errors.ts";
import { beginClosing, endClosing, refuseDuringSharedClone, sharersOf } from "../identity.ts";
import { currentBatch } from "../target/target.ts";
import { NEAR, stateOf, type TaskState } from "./state.ts";

/** Returns the number of the descriptor that a task is controlled through; `undefined` for this process and its threads. */
export function channelOf(state: TaskState): number | undefined {
	return state.id === NEAR || state.thread ? undefined : state.attributed(() => native().channelFd(state.id));
}

/** Returns the number of a task's channel; -1 when the task has ended, even if that is not known here yet. */
export function channelIfLive(state: TaskState): number {
	try {
		return (state.phase === "live" && channelOf(state)) || -1;
	} catch (error) {
		if (!(error instanceof TaskGoneError)) throw error;
		return -1;
	}
}

/** Returns the numbers of the channels of a task, and of the other tasks that have its table, in order. */
export function channelsInTable(state: TaskState): number[] {
	const own = channelOf(state);
	if (own === undefined) return [];
	const others = sharersOf(state.fdTable).livingTasks(state.task);
	return [own, ...others.map((other) => stateOf(other).leftovers.channel?.number ?? -1)].sort((a, b) => a - b);
}

/**
 * Returns {@link channelsInTable} for a call that closes or replaces descriptors by number. Until that call, or the batch
 * that holds it, has ended, no other channel may appear in the table.
 */
export function channelsToSpare(state: TaskState): number[] {
	const { fdTable, task } = state;
	refuseDuringSharedClone(fdTable);
	const batch = currentBatch();
	if (batch) {
		beginClosing(fdTable, task);
		batch.whenEnded.push(() => endClosing(fdTable, task));
	}
	return channelsInTable(state);
}

/**
 * Refuses the number of a channel of a task, or of another task with the same table.
 *
 * @param parameter - The name of the parameter that has the number.
 */
export function refuseChannel(state: TaskState, number: number, parameter: string): void {
	// The numbers of stdio are asked for most, and are never channels. Asking for a channel waits for a new task to start.
	if (number > 2 && channelsToSpare(state).includes(number)) {
		throw outOfRange(parameter, `a number that ${state.task} does not use itself`, number);
	}
}
