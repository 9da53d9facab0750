import type { NamespaceKind } from "../addon/flags.generated.ts";
import { PidNamespace } from "../identity.ts";
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
	const { process } = task; // the namespace must not keep the task from being collected
	const another = new PidNamespace(() => process);
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

/** Notes that a task may ignore or block signals from now on, so that exec has to reset them. */
export function changesSignals(task: AnyTask): void {
	stateOf(task).signalsTouched = true;
}
