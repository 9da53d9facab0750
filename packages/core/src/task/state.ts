import type { NamespaceKind } from "../addon/flags.generated.ts";
import { native } from "../addon/native.ts";
import { AddressSpace, FDTable, type PidNamespace } from "../identity.ts";
import type { Process } from "../process/process.ts";
import { type AnyTask, withTarget } from "../target/target.ts";
import type { Command } from "./exec-options.ts";
import type { ThreadPart } from "./thread-life.ts";

/** The addon's number for this process. */
export const NEAR = 0;

/** The parts of a new task. */
export interface TaskParts<P extends Process> {
	/** The addon's number for the task. */
	readonly id: number;
	readonly process: P;
	/** The kinds of namespaces that the task, or one above it, has made or entered. */
	readonly kinds: readonly NamespaceKind[];
	/** The kinds among them that the clone has made. */
	readonly cloned?: readonly NamespaceKind[];
	/** The kinds among them that were entered: the namespace may be the one of this process. */
	readonly entered?: Iterable<NamespaceKind>;
	/** The changes by a batch under way of the task that clones it. */
	readonly entering?: Iterable<Entering>;
	/** Returns the pid namespace that it is in. */
	readonly pids: () => PidNamespace;
	/** The task that has cloned it. Absent: the zygote has. */
	readonly cloner?: AnyTask;
	/** True when it may ignore or block a signal. */
	readonly signalsTouched?: boolean;
	/** Present for a thread of this process. */
	readonly thread?: ThreadPart;
}

/** Namespaces that a task makes or enters by a call of a batch which is collected, or under way. */
export interface Entering {
	/** The kinds that the call makes. */
	readonly made: readonly NamespaceKind[];
	/** The kinds that the call may enter. */
	readonly entered: readonly NamespaceKind[];
	/** The task that has made the call, and the tasks that it has cloned since. The clones happen after the batch. */
	readonly states: Set<TaskState>;
}

/** A program that a batch under way is going to execute. */
interface Execution {
	readonly command: Command;
	/** Resolves when the batch has ended. */
	readonly ended: Promise<void>;
}

/**
 * The memory and the channel to clean up when a task ends that has shared its memory or its table of descriptors. The
 * listener for the task's end keeps this object, and does not keep the task.
 */
export interface Leftovers {
	/** The block of shared memory that holds the task's stack. */
	stack: { readonly space: AddressSpace; readonly block: number } | undefined;
	/** The number of the task's channel in a shared table. */
	channel: { readonly table: FDTable; readonly number: number } | undefined;
}

const states = new WeakMap<AnyTask, TaskState>();

// A task that the program cannot reach any more has nothing left to do: the end of its channel ends it.
const unreachable = new FinalizationRegistry((id: number) => native().forgetTask(id));

/** The half of a `Task` that its users do not see. */
export class TaskState {
	readonly task: AnyTask;
	readonly id: number;
	readonly cloner: AnyTask | undefined;
	/** Present for a thread of this process. */
	readonly thread: ThreadPart | undefined;
	/** The kinds of namespaces that the task, or one above it, has made or entered. */
	readonly kinds: Set<NamespaceKind>;
	/** The kinds among them that the clone of the task has made. */
	readonly cloned: ReadonlySet<NamespaceKind>;
	/** The kinds among them that were entered: the namespace may be the one of this process. */
	readonly entered: Set<NamespaceKind>;
	/** The kinds among them that only children have: unshare(2) leaves the task itself in its pid and time namespaces. */
	readonly forChildren = new Set<NamespaceKind>();
	/** The kinds among `forChildren` of which the namespace has no process yet: no child was cloned since. */
	readonly withoutChild = new Set<NamespaceKind>();
	/** The changes that take place when a call that was collected has succeeded. */
	readonly entering: Set<Entering>;
	readonly pids: () => PidNamespace;
	/**
	 * Returns the pid namespace of children cloned from now on. While a batch that may change it is under way, the result is
	 * known only when this function is called after the batch.
	 */
	childPids: () => PidNamespace;
	phase: "live" | "exec" | "supervisor" | "exited" = "live";
	/** True when the task may ignore or block a signal: exec has to reset signals only then. */
	signalsTouched: boolean;
	/** How many batches and clones the task has still to reply to. A call that is made meanwhile waits for them. */
	requests = 0;
	/** Programs that batches under way are going to execute. */
	readonly executing = new Set<Execution>();
	readonly leftovers: Leftovers = { stack: undefined, channel: undefined };
	#fdTable: FDTable | undefined;
	#addressSpace: AddressSpace | undefined;

	constructor(
		task: AnyTask,
		{ id, kinds, cloned, entered, entering = [], pids, cloner, signalsTouched, thread }: TaskParts<Process>,
	) {
		this.task = task;
		this.id = id;
		this.kinds = new Set(kinds);
		this.cloned = new Set(cloned);
		this.entered = new Set(entered);
		this.entering = new Set(entering);
		for (const { states } of entering) states.add(this);
		this.pids = pids;
		this.childPids = pids;
		this.cloner = cloner;
		this.thread = thread;
		this.signalsTouched = signalsTouched ?? false;
		states.set(task, this);
		if (id !== NEAR) unreachable.register(task, id, task);
	}

	/** The table of descriptors. A task has a table of its own, unless another one was set. `undefined` sets a new one. */
	get fdTable(): FDTable {
		this.#fdTable ??= new FDTable(this.task);
		return this.#fdTable;
	}
	set fdTable(table: FDTable | undefined) {
		this.#fdTable = table;
	}

	/** The address space. A task has memory of its own, unless another address space was set. */
	get addressSpace(): AddressSpace {
		this.#addressSpace ??= new AddressSpace(this.task);
		return this.#addressSpace;
	}
	set addressSpace(space: AddressSpace) {
		this.#addressSpace = space;
	}

	/** Runs `fn` with the task as the one that errors are about. */
	attributed<T>(fn: () => T): T {
		return withTarget(this.task, undefined, fn);
	}

	/**
	 * Notes that the task takes no more calls.
	 *
	 * @param phase - The state of the task from now on.
	 */
	leave(phase: "exec" | "supervisor" | "exited"): void {
		this.phase = phase;
		unreachable.unregister(this.task);
		if (phase !== "supervisor") native().forgetTask(this.id); // the channel of a supervisor is needed to end it
	}
}

/** Returns the state of a task. */
export function stateOf(task: AnyTask): TaskState {
	return states.get(task) as TaskState; // the constructor of a task makes its state
}

/** Returns the id of the thread that a task is. `undefined`: the task is a process. */
export function threadId(task: AnyTask): number | undefined {
	return stateOf(task).thread?.tid;
}

/** Returns the addon's number for a live task. */
export function taskId(task: AnyTask): number {
	return stateOf(task).id;
}
