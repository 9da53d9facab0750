import { type NamespaceKind, namespaceFlags } from "../addon/flags.generated.ts";
import { PidNamespace } from "../identity.ts";
import type { Process } from "../process/process.ts";
import { type AnyTask, afterSuccess, currentTask } from "../target/target.ts";
import { type Entering, stateOf, type TaskState } from "./state.ts";

/**
 * Notes that a task makes namespaces if the call that was made last succeeds. Children cloned later are in the pid namespace that
 * the last such call with `"pid"` has made.
 *
 * @param task - The task that has made the call.
 * @param kinds - The kinds of namespaces.
 */
export function makesNamespaces(task: AnyTask, kinds: readonly NamespaceKind[]): void {
	changes(task, { made: kinds, entered: [] }, () => ({ made: kinds, entered: [] }));
}

/**
 * Notes that a task enters namespaces that exist already, if the call that was made last succeeds. Children cloned later are in
 * the pid namespace that the last such call with `"pid"` has chosen.
 *
 * @param task - The task that has made the call.
 * @param kinds - The kinds of namespaces, or a function that returns them after the call.
 */
export function entersNamespaces(
	task: AnyTask,
	kinds: readonly NamespaceKind[] | (() => readonly NamespaceKind[]),
): void {
	const isKnown = typeof kinds !== "function";
	const possible = isKnown ? kinds : (Object.keys(namespaceFlags) as NamespaceKind[]);
	// Until the kind is known, no kind of the task is taken for its own because of this call, and "user" stays as it is.
	const expected = isKnown ? possible : possible.filter((kind) => kind !== "user");
	changes(task, { made: [], entered: expected }, () => ({ made: [], entered: isKnown ? kinds : kinds() }));
}

type Change = Pick<Entering, "made" | "entered">;

/** Notes a change that takes place if the call that was made last succeeds. `result` returns the change after the call. */
function changes(task: AnyTask, expected: Change, result: () => Change): void {
	const state = stateOf(task);
	const before = state.childPids;
	const another = namespaceOf(task.process);
	const changesPids = ({ made, entered }: Change) => made.includes("pid") || entered.includes("pid");
	let choosesPids = changesPids(expected);
	// Already now: a child that is cloned while the batch is under way comes after the batch.
	if (choosesPids) state.childPids = () => (choosesPids ? another : before());
	const entering: Entering = { ...expected, states: new Set([state]) };
	state.entering.add(entering);
	const end = (change: Change) => {
		for (const each of entering.states) {
			apply(change, each, each === state);
			each.entering.delete(entering);
		}
		for (const kind of change.made) {
			// A task that was cloned while the call was under way is the first child already.
			if ((kind === "pid" || kind === "time") && entering.states.size === 1) state.withoutChild.add(kind);
		}
		for (const kind of change.entered) state.withoutChild.delete(kind);
		choosesPids = changesPids(change);
	};
	afterSuccess(
		() => end(result()),
		() => end({ made: [], entered: [] }),
	);
}

/** The part of the state of a task that a change concerns. */
type Kinds = Pick<TaskState, "kinds" | "cloned" | "entered" | "forChildren">;

/**
 * Changes the kinds that a task has of its own.
 *
 * A kind that the task enters is its own no more, because the namespace may be the one of this process. Two kinds are different: a
 * user namespace that a task can enter lies below the one of the task, and a pid namespace lies below it or is the same.
 *
 * @param change - What a call makes and enters.
 * @param own - The kinds before the call.
 * @param isCaller - True for the task that has made the call. Otherwise the task was cloned after the call.
 */
function apply(change: Change, { kinds, cloned, entered, forChildren }: Kinds, isCaller: boolean): void {
	const isOwn = (kind: NamespaceKind) => kinds.has(kind) && !entered.has(kind);
	for (const kind of change.made) {
		if (isCaller && !isOwn(kind) && (kind === "pid" || kind === "time")) forChildren.add(kind);
		kinds.add(kind);
		entered.delete(kind);
	}
	for (const kind of change.entered) {
		const stays =
			kind === "user" || (isCaller ? kind === "pid" && isOwn(kind) && !forChildren.has(kind) : cloned.has(kind));
		if (!stays) entered.add(kind);
		kinds.add(kind);
		forChildren.delete(kind);
	}
}

/**
 * Returns the kinds of namespaces that a task has of its own: the kinds that the task was cloned with or has made, and those that
 * the tasks above it had when they cloned the task. A kind that the task has entered since is not one of them, apart from `"user"`.
 *
 * While a batch is collected, the calls of the batch already count. A call that enters a namespace by a descriptor alone, without
 * a name, counts for every kind but `"user"` until the end of the batch.
 *
 * @param task - The task. Default: the current one. This process shares all kinds with itself.
 */
export function ownNamespaces(task: AnyTask = currentTask()): ReadonlySet<NamespaceKind> {
	const state = stateOf(task);
	const { cloned, entering } = state;
	const [kinds, entered] = [new Set(state.kinds), new Set(state.entered)];
	const forChildren = new Set(state.forChildren);
	for (const each of entering) {
		const [caller] = each.states;
		apply(each, { kinds, cloned, entered, forChildren }, caller === state);
	}
	return new Set([...kinds].filter((kind) => !entered.has(kind) && !forChildren.has(kind)));
}

/** Makes a pid namespace. Apart from its caller, because a closure keeps all variables around it, and so the task. */
function namespaceOf(process: Process): PidNamespace {
	return new PidNamespace(() => process);
}

/** Notes that a task may ignore or block signals from now on, so that exec has to reset them. */
export function changesSignals(task: AnyTask): void {
	stateOf(task).signalsTouched = true;
}
