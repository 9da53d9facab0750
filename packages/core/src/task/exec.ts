import { native } from "../addon/native.ts";
import { FileDescriptor } from "../files/descriptor.ts";
import type { PathLike } from "../files/path.ts";
import { ChildProcess } from "../process/child.ts";
import { trackerOf } from "../process/child-tracker.ts";
import { type AnyTask, type Batch, currentBatch, type Executing, nearTask } from "../target/target.ts";
import { warnOfForgottenName } from "./argv0.ts";
import { type Command, type ExecOptions, execData } from "./exec-options.ts";
import { leaveTable, unmapStack } from "./sharing.ts";
import { stateOf, type TaskState } from "./state.ts";

const SIGKILL = 9;

/**
 * Executes a program in a task, which is the current one. In a batch the task does so when the batch has succeeded.
 *
 * @param executing - The function for which the task executes the program, if that is not `Task.exec`.
 * @param filters - Filters of seccomp(2), which the task installs as its last calls before, in this order.
 */
export function execute(
	state: TaskState,
	path: PathLike | FileDescriptor,
	argv: readonly string[] | undefined,
	options: ExecOptions | undefined,
	executing?: Executing,
	filters: readonly Uint8Array[] = [],
): void {
	const { data, command } = execData(path, argv, options);
	// Other functions make argv[0] themselves, or have an option for it.
	if (!executing) warnOfForgottenName(command, path instanceof FileDescriptor);
	const { id, cloner, signalsTouched } = state;
	leaveTable(state);
	const taskDeathSignal = cloner ? 0 : SIGKILL;
	native().exec(id, {
		...data,
		parent: parentOf(state),
		resetSignals: signalsTouched,
		taskDeathSignal,
		filters: [...filters],
	});
	const batch = currentBatch();
	if (batch) {
		if (executing) batch.executing = executing;
		executeAfter(batch, state, command);
	} else becomeProgram(state, command);
}

/**
 * Returns the number by which a task knows its parent, or 0. In another pid namespace than Node's the task knows another number, and a
 * cloner that has ended has left the task to another process.
 */
function parentOf({ task, cloner }: TaskState): number {
	if (task.pidNamespace !== nearTask().pidNamespace) return 0;
	if (!cloner) return process.pid;
	return cloner.process instanceof ChildProcess && cloner.process.death ? 0 : cloner.pid;
}

/**
 * Executes a program at the end of the batch that the current task collects.
 *
 * @param executing - The function whose name is in the message of an error.
 * @param filters - Filters of seccomp(2), which the task installs as its last calls before, in this order.
 */
export function executeFor(
	executing: Executing,
	task: AnyTask,
	path: PathLike | FileDescriptor,
	argv: readonly string[],
	options: ExecOptions,
	filters: readonly Uint8Array[] = [],
): void {
	execute(stateOf(task), path, argv, options, executing, filters);
}

function executeAfter(batch: Batch, state: TaskState, command: Command): void {
	let end = () => {};
	const execution = { command, ended: new Promise<void>((resolve) => (end = resolve)) };
	state.executing.add(execution);
	batch.whenEnded.push((numbers) => {
		state.executing.delete(execution);
		if (numbers) becomeProgram(state, command);
		end();
	});
}

function becomeProgram(state: TaskState, command: Command): void {
	state.leave("exec");
	unmapStack(state.leftovers);
	const { process } = state.task;
	if (process instanceof ChildProcess) trackerOf(process).command = command;
}
