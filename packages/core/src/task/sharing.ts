import { cloneFlags } from "../addon/flags.generated.ts";
import { native } from "../addon/native.ts";
import { TaskGoneError } from "../errors.ts";
import { refuseDuringSharedClone, sharersOf } from "../identity.ts";
import { type AnyTask, isInNode, nearTask } from "../target/target.ts";
import { channelIfLive, channelsInTable } from "./channels.ts";
import { type Leftovers, stateOf, type TaskState } from "./state.ts";

/** Closes a descriptor of a task without waiting for it. */
export function closeLater(task: AnyTask, number: number): void {
	if (isInNode(task)) nearTask().run(() => native().close(number));
	else native().closeLater(stateOf(task).id, [number]);
}

/** Gives a new task the memory of the task that has cloned it, in which `block` is the new task's own. */
export function shareMemory(state: TaskState, creator: TaskState, block: number): void {
	const space = creator.addressSpace;
	state.addressSpace = space;
	state.leftovers.stack = { space, block };
	sharersOf(space).add(state.task);
}

/** Gives a new task the table of the task that has cloned it, in which both have their channels. */
export function shareTable(state: TaskState, creator: TaskState, channel: number): void {
	const creatorsChannel = channelIfLive(creator);
	const table = creator.fdTable;
	state.fdTable = table;
	state.leftovers.channel = { table, number: channel };
	creator.leftovers.channel = { table, number: creatorsChannel };
	sharersOf(table).add(state.task);
}

/**
 * Unmaps the block with the stack of a task that has left the shared memory, once. A task that still has the memory does
 * that.
 */
export function unmapStack(leftovers: Leftovers): void {
	const { stack } = leftovers;
	leftovers.stack = undefined;
	const [heir] = stack ? sharersOf(stack.space).livingTasks() : [];
	if (stack && heir) native().unmapLater(stateOf(heir).id, stack.block);
}

/** Unmaps the stack and closes the channel of a task that has died, where others have its memory or its table. */
export function cleanUpAfterDeath(leftovers: Leftovers): void {
	unmapStack(leftovers);
	const { channel } = leftovers;
	leftovers.channel = undefined;
	const [heir] = channel ? sharersOf(channel.table).livingTasks() : [];
	if (channel && heir) closeLater(heir, channel.number);
}

/**
 * Gives a task a table of its own, if it shares one: at once, even while a batch is collected.
 *
 * The end of a channel tells this process that a program runs. So no task may keep a channel of another task open: the
 * task closes the others' channels in its copy of the table, and one of the others closes the task's channel in theirs.
 */
export function leaveTable(state: TaskState): void {
	refuseDuringSharedClone(state.fdTable);
	const { task } = state;
	const { channel } = state.leftovers;
	const others = channel ? sharersOf(channel.table).livingTasks(task) : [];
	if (!channel || others.length === 0) return;
	const othersChannels = channelsInTable(state).filter((number) => number >= 0 && number !== channel.number);
	task.run(() => native().unshare(cloneFlags.files));
	state.leftovers.channel = undefined;
	state.fdTable = undefined;
	sharersOf(channel.table).remove(task);
	for (const other of others) if (closesIn(other, channel.number)) break;
	task.run(() => {
		for (const number of othersChannels) native().close(number);
	});
}

/** Closes a descriptor in a task. Returns false if the task has died, even if that was not known here yet. */
function closesIn(task: AnyTask, number: number): boolean {
	try {
		task.run(() => native().close(number));
		return true;
	} catch (error) {
		if (!(error instanceof TaskGoneError)) throw error;
		return false;
	}
}
