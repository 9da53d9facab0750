import { abortable } from "../abortable.ts";
import { waitFlags } from "../addon/flags.generated.ts";
import { abortSignal, options as checkOptions, optionalBoolean, wrongValue } from "../arguments.ts";
import { type ChildState, type StateKind, stateKinds } from "./child-state.ts";

/** The state changes that a wait is for. */
export interface WaitOptions {
	/** The end of the process. Default: true, unless `stopped` or `continued` is true. */
	exited?: boolean;
	/** A stop by a signal. Default: false. */
	stopped?: boolean;
	/** A continuation by SIGCONT. Default: false. */
	continued?: boolean;
	/** Leaves the state for another wait. Default: false. */
	nowait?: boolean;
	/** Ends the wait when aborted. The process goes on. */
	signal?: AbortSignal;
}

/** The checked options of a wait. */
export interface Wanted {
	readonly kinds: ReadonlySet<StateKind>;
	readonly nowait: boolean;
	readonly signal: AbortSignal | undefined;
}

interface Waiter {
	readonly wanted: Wanted;
	readonly resolve: (state: ChildState) => void;
}

/** The checked options of a question for a state that has happened. */
export type Asked = Omit<Wanted, "signal">;

/** Checks the options of a wait. */
export function toWanted(options: WaitOptions | undefined): Wanted {
	const checked = checkOptions(options, ["exited", "stopped", "continued", "nowait", "signal"]);
	return { ...toStates(checked), signal: abortSignal(checked.signal) };
}

/** Checks the options of a question for a state that has happened, which has no signal because it never waits. */
export function toAsked(options: Omit<WaitOptions, "signal"> | undefined): Asked {
	return toStates(checkOptions(options, ["exited", "stopped", "continued", "nowait"]));
}

function toStates(options: Omit<WaitOptions, "signal">): Asked {
	const { exited, stopped, continued, nowait } = options;
	const kinds = new Set<StateKind>();
	if (optionalBoolean(stopped, "options.stopped")) kinds.add("stopped");
	if (optionalBoolean(continued, "options.continued")) kinds.add("continued");
	if (optionalBoolean(exited, "options.exited") ?? kinds.size === 0) kinds.add("exited");
	if (kinds.size === 0) throw wrongValue("options", "at least one of exited, stopped and continued", options);
	return { kinds, nowait: optionalBoolean(nowait, "options.nowait") ?? false };
}

/** Returns the flags of waitid(2) for kinds of state changes. */
export function waitBits(kinds: ReadonlySet<StateKind>): number {
	let bits = 0;
	for (const kind of kinds) bits |= waitFlags[kind];
	return bits;
}

/** The waits for the state changes of one process, and the changes that no wait has claimed yet. */
export class Waiters {
	#waiting: Waiter[] = [];
	/** The last unclaimed change of each kind. */
	#unclaimed: ChildState[] = [];

	/** True when there is a wait. */
	get any(): boolean {
		return this.#waiting.length > 0;
	}

	/** True when there is a wait that will claim the death. */
	get reaping(): boolean {
		return this.#waiting.some(({ wanted }) => wanted.kinds.has("exited") && !wanted.nowait);
	}

	/** Returns a wanted state that no wait has claimed, and claims it, unless `nowait` leaves it. */
	claim({ kinds, nowait }: Asked): ChildState | undefined {
		// The order is kept: stops and continuations are before a death.
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

	/** Resolves the waits for a state. A death resolves all waits, because no other state follows. */
	changed(state: ChildState): void {
		const kind = stateKinds[state.state];
		const resolved = this.#waiting.filter(({ wanted }) => wanted.kinds.has(kind) || kind === "exited");
		this.#waiting = this.#waiting.filter((waiter) => !resolved.includes(waiter));
		const claimed = resolved.some(({ wanted }) => wanted.kinds.has(kind) && !wanted.nowait);
		if (!claimed) {
			this.#unclaimed = [...this.#unclaimed.filter((other) => stateKinds[other.state] !== kind), state];
		}
		for (const waiter of resolved) waiter.resolve(state);
	}
}
