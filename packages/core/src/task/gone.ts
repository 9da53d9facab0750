import { TaskGoneError } from "../errors.ts";
import { ChildProcess } from "../process/child.ts";
import { howItEnded, toExitStatus } from "../process/child-state.ts";
import { trackerOf } from "../process/child-tracker.ts";
import { NEAR, type TaskState } from "./state.ts";

/**
 * Returns the error for a call that did not reach a task.
 *
 * @param state - The state of the task.
 * @param broken - The message of the task that no stub sends, in words. The addon has killed the task for it.
 */
export function goneError(state: TaskState, broken?: string): TaskGoneError {
	const { task, phase } = state;
	if (broken) return brokenError(state, broken);
	if (state.id === NEAR) {
		return new TaskGoneError(
			"the process that clones tasks was killed while it cloned one: try again, another one does",
		);
	}
	if (phase === "supervisor") return new TaskGoneError(`${task} supervises a program`);
	const child = task.process instanceof ChildProcess ? task.process : undefined;
	const [executing] = state.executing;
	// A task that was killed before its batch could execute a program is not said to execute that program.
	const killed = child && executing && trackerOf(child).awaitEndIfEnded();
	const command = (killed ? undefined : executing?.command) ?? child?.command;
	if (command) {
		const death = child?.death;
		const how = death ? `executed ${command.path}, which ${howItEnded(death)}` : `executes ${command.path}`;
		return new TaskGoneError(`${task} ${how}`, death && toExitStatus(death), command);
	}
	const status = child && trackerOf(child).awaitEnd();
	if (state.phase === "live") state.leave("exited");
	return new TaskGoneError(`${task} ${status ? howItEnded(status) : "has ended"}`, status);
}

function brokenError(state: TaskState, broken: string): TaskGoneError {
	const { task } = state;
	const subject = state.id === NEAR ? "the process that clones tasks" : `${task}`;
	const child = task.process instanceof ChildProcess ? task.process : undefined;
	const status = child && trackerOf(child).awaitEnd();
	if (state.phase === "live" && state.id !== NEAR) state.leave("exited");
	return new TaskGoneError(`${subject} is not to be trusted any more, and was killed: ${broken}`, status);
}
