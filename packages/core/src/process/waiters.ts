import { abortable } from "../abortable.ts";
import { waitFlags } from "../addon/flags.generated.ts";
import { abortSignal, options as checkOptions, optionalBoolean, wrongValue } from "../arguments.ts";
import { type ChildState, type StateKind, stateKinds } from "./child-state.ts";

/** Which state changes a wait is for. */
export interface WaitOptions {
	/** Its end. Default: true, unless another is asked for. */
	exited?: boolean;
	/** A stop by a signal. */
	stopped?: boolean;
	/** A continuation by SIGCONT. */
	continued?: boolean;
	/** Leaves the state to be waited for again. */
	nowait?: boolean;
	/** Ends the wait; the child goes on. */
	signal?: AbortSignal;
}

/** What a wait is for, checked. */
export interface Wanted {
	readonly kinds: ReadonlySet<StateKind>;
	readonly nowait: boolean;
	readonly signal: AbortSignal | undefined;
}

interface Waiter {
	readonly wanted: Wanted;
	readonly resolve: (state: ChildState) => void;
}

/** Checks the options of a wait. */
export function toWanted(options: WaitOptions | undefined): Wanted {
	const { exited, stopped, continued, nowait, signal } = checkOptions(options);
	const kinds = new Set<StateKind>();
	if (optionalBoolean(stopped, "options.stopped")) kinds.add("stopped");
	if (optionalBoolean(continued, "options.continued")) kinds.add("continued");
	if (optionalBoolean(exited, "options.exited") ?? kinds.size === 0) kinds.add("exited");
	if (kinds.size === 0) throw wrongValue("options", "at least one of exited, stopped and continued", options);
	return { kinds, nowait: optionalBoolean(nowait, "options.nowait") ?? false, signal: abortSignal(signal) };
}

/** The flags of waitid(2) for these. */
export function waitBits(kinds: ReadonlySet<StateKind>): number {
	let bits = 0;
	for (const kind of kinds) bits |= waitFlags[kind];
	return bits;
}

/** Who waits for the state changes of one process, and the changes that nobody has claimed yet. */
export class Waiters {
	#waiting: Waiter[] = [];
	/** The last of each kind. */
	#unclaimed: ChildState[] = [];

	/** Whether somebody waits. */
	get any(): boolean {
		return this.#waiting.length > 0;
	}

	/** Whether somebody waits who will claim the death. */
	get reaping(): boolean {
		return this.#waiting.some(({ wanted }) => wanted.kinds.has("exited") && !wanted.nowait);
	}

	/** A state that has happened and that nobody has claimed: claimed now, unless it is to be left. */
	claim({ kinds, nowait }: Wanted): ChildState | undefined {
		// A death comes last, and what came before is told before.
		const index = this.#unclaimed.findIndex(({ state }) => kinds.has(stateKinds[state]));
		const state = this.#unclaimed[index];
		if (state && !nowait) this.#unclaimed.splice(index, 1);
		return state;
	}

	/**
	 * Waits for the next state that is wanted, or the death.
	 *
	 * @param idle - Called when the wait was aborted.
	 */
	wait(wanted: Wanted, idle: () => void): Promise<ChildState> {
		return abortable(wanted.signal, (resolve) => {
			const waiter: Waiter = { wanted, resolve };
			this.#waiting.push(waiter);
			return () => {
				this.#waiting = this.#waiting.filter((other) => other !== waiter);
				idle();
			};
		});
	}

	/** Tells everybody who waits for such a state, and everybody of a death: nothing follows it. */
	changed(state: ChildState): void {
		const kind = stateKinds[state.state];
		const told = this.#waiting.filter(({ wanted }) => wanted.kinds.has(kind) || kind === "exited");
		this.#waiting = this.#waiting.filter((waiter) => !told.includes(waiter));
		const claimed = told.some(({ wanted }) => wanted.kinds.has(kind) && !wanted.nowait);
		if (!claimed) {
			this.#unclaimed = [...this.#unclaimed.filter((other) => stateKinds[other.state] !== kind), state];
		}
		for (const waiter of told) waiter.resolve(state);
	}
}
