import type { NamespaceKind } from "../addon/flags.generated.ts";
import { PidNamespace } from "../identity.ts";
import type { Process } from "../process/process.ts";
import { type AnyTask, afterSuccess } from "../target/target.ts";
import { stateOf } from "./state.ts";

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
	afterSuccess(
		() => {
			const known = typeof kinds === "function" ? kinds() : kinds;
			for (const kind of known) state.kinds.add(kind);
			entered = known.includes("pid");
		},
		() => {
			entered = false;
		},
	);
}

/** Makes a pid namespace. Apart from its caller, because a closure keeps all variables around it, and so the task. */
function namespaceOf(process: Process): PidNamespace {
	return new PidNamespace(() => process);
}

/** Notes that a task may ignore or block signals from now on, so that exec has to reset them. */
export function changesSignals(task: AnyTask): void {
	stateOf(task).signalsTouched = true;
}
