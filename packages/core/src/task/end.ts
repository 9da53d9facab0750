import { dispatch, native } from "../addon/native.ts";
import { stateOf } from "./state.ts";
import type { Task } from "./task.ts";

/**
 * Ends the clone of a task, or its first batch, whose promises then resolve or reject.
 *
 * @returns False when the task does not exist yet.
 */
export function stopTask(task: Task): boolean {
	dispatch(); // while a task is busy with a first batch, the addon does not wake JavaScript for its events
	return native().killTask(stateOf(task).id);
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
