import type { NamespaceKind } from "../addon/flags.generated.ts";
import { PidNamespace } from "../identity.ts";
import type { Process } from "../process/process.ts";
import { type AnyTask, afterSuccess, currentTask } from "../target/target.ts";
import { type Entering, stateOf } from "./state.ts";

/**
 * Notes that a task enters other namespaces if the call that was made last succeeds. Children cloned later are in the pid
 * namespace that the last such call with `"pid"` has chosen.
 *
 * @param task - The task that has made the call.
 * @param kinds - The kinds of namespaces, or a function that returns them after the call.
 */
export function entersNamespaces(
	task: AnyTask,
	kinds: readonly NamespaceKind[] | (() => readonly NamespaceKind[]),
): void {
	const state = stateOf(task);
	const before = state.childPids;
	const another = namespaceOf(task.process);
	let entered = typeof kinds === "function" || kinds.includes("pid");
	// Already now: a child that is cloned while the batch is under way comes after the batch.
	if (entered) state.childPids = () => (entered ? another : before());
	const entering: Entering = { kinds: typeof kinds === "function" ? [] : kinds, states: new Set([state]) };
	state.entering.add(entering);
	const join = (known: readonly NamespaceKind[]) => {
		for (const each of entering.states) {
			for (const kind of known) each.kinds.add(kind);
			each.entering.delete(entering);
		}
		entered = known.includes("pid");
	};
	afterSuccess(
		() => join(typeof kinds === "function" ? kinds() : kinds),
		() => join([]),
	);
}

/**
 * Returns the kinds of namespaces that a task does not share with this process: the kinds that the task was cloned with, has made
 * or has entered, and those that the tasks above it had when they cloned the task.
 *
 * While a batch is collected, the kinds that the batch makes already count. A kind that the task enters by a descriptor alone,
 * without a name, counts from the end of the batch.
 *
 * @param task - The task. Default: the current one. This process shares all kinds with itself.
 */
export function ownNamespaces(task: AnyTask = currentTask()): ReadonlySet<NamespaceKind> {
	const { kinds, entering } = stateOf(task);
	return new Set([...kinds, ...[...entering].flatMap((each) => each.kinds)]);
}

/** Makes a pid namespace. Apart from its caller, because a closure keeps all variables around it, and so the task. */
function namespaceOf(process: Process): PidNamespace {
	return new PidNamespace(() => process);
}

/** Notes that a task may ignore or block signals from now on, so that exec has to reset them. */
export function changesSignals(task: AnyTask): void {
	stateOf(task).signalsTouched = true;
}
