import { ChildDeadError, type ChildState, SyscallError, type WaitOptions } from "@nearfar/core";
import {
	forget,
	howItEnded,
	keepAlive,
	listen,
	native,
	type StateKind,
	stateKinds,
	toState,
	toWanted,
	waitBits,
	waitFlags,
} from "@nearfar/core/internal";
import { keptDeath } from "./exited.ts";
import { type HeldPidfd, isGone } from "./held-pidfd.ts";
import { identifyProcess } from "./identify.ts";
import { pollOwnChild, waitForOwnChild } from "./own-child.ts";

type Kinds = ReadonlySet<StateKind>;

// By pid: whoever takes a state from the kernel lets these see it first.
const looking = new Map<number, Set<() => void>>();

// By pid and what they wait for: a wait that is given up leaves its thread to the next one.
const threads = new Map<string, Set<(state: ChildState | undefined) => void>>();

/** The state that has happened already, if there is one. */
export function poll(held: HeldPidfd, options: Omit<WaitOptions, "signal"> | undefined): ChildState | undefined {
	const { kinds: wanted, nowait } = toWanted(options);
	if (held.child && held.task.isNear) return pollOwnChild(held.child, wanted, nowait);
	const state = look(held, wanted);
	if (state && !wanted.has(stateKinds[state.state])) throw dead(held, state);
	if (state && !nowait) take(held, state).catch(() => {});
	return state;
}

/** Waits for a state. */
export async function wait(held: HeldPidfd, options: WaitOptions | undefined): Promise<ChildState> {
	const { kinds: wanted, nowait, signal } = toWanted(options);
	signal?.throwIfAborted();
	if (held.child && held.task.isNear) return waitForOwnChild(held.child, wanted, nowait, signal);
	held.hold();
	try {
		const state = look(held, wanted) ?? (await waitForChange(held, wanted, signal));
		if (!nowait && wanted.has(stateKinds[state.state])) await take(held, state);
		return state;
	} finally {
		held.release();
	}
}

/** A state that is there, left where it is. */
function look(held: HeldPidfd, wanted: Kinds): ChildState | undefined {
	const death = held.death ?? held.child?.death;
	if (death && !wanted.has("exited")) throw dead(held, death);
	if (death) return death;
	try {
		const state = held.waitid(waitBits(wanted) | waitFlags.nowait);
		if (state && stateKinds[state.state] === "exited") held.death = state;
		return state;
	} catch (error) {
		const kept = isGone(error) ? unreported(held, wanted) : undefined;
		if (!kept) throw error;
		held.death = kept;
		return kept;
	}
}

/** The death of a child that waitid(2) does not know of: Node's loop has reaped its own, or nobody has asked for the end. */
function unreported(held: HeldPidfd, wanted: Kinds): ChildState | undefined {
	try {
		if (!wanted.has("exited")) return held.waitid(waitFlags.exited | waitFlags.nowait);
	} catch (error) {
		if (!isGone(error)) throw error;
	}
	return held.nodeChild && keptDeath(held);
}

function dead(held: HeldPidfd, death: ChildState): ChildDeadError {
	const who = held.child ?? `process ${death.pid || (held.nodeChild?.pid ?? "")}`.trimEnd();
	return new ChildDeadError(`cannot wait for a stop of ${who}: it ${howItEnded(death)}`, death, held.child?.command);
}

/** Takes a state from the kernel. A death only where nobody else does. */
async function take(held: HeldPidfd, state: ChildState): Promise<void> {
	const kind = stateKinds[state.state];
	if (kind === "exited" && (held.nodeChild || held.child)) return;
	held.hold();
	try {
		// It may be a child of Node's loop: what SIGCHLD has told that is dealt with in the turn between the two.
		const turns = kind === "exited" && held.task.isNear ? 2 : 0;
		for (let turn = 0; turn < turns; turn++) await new Promise<void>((resolve) => setImmediate(resolve));
		if (looking.size > 0) for (const see of looking.get(identifyProcess(held.near())?.pid ?? 0) ?? []) see();
		held.waitid(waitFlags[kind]);
	} catch (error) {
		if (!isGone(error)) throw error; // somebody else has taken it
	} finally {
		held.release();
	}
}

async function waitForChange(held: HeldPidfd, wanted: Kinds, signal: AbortSignal | undefined): Promise<ChildState> {
	const stops = wanted.has("stopped") || wanted.has("continued");
	// As for a process that is not ours: only a thread of its parent hears of stops, and a task has one alone.
	if (stops && !held.task.isNear) throw new SyscallError({ code: "ECHILD", errno: 10, syscall: "waitid" });
	if (held.child) return waitForOwnChild(held.child, wanted, true, signal);
	const who = identifyProcess(held.near()) ?? { pid: 0, uid: 0 };
	const kinds: Kinds = new Set([...wanted, "exited"]); // a death ends a wait for a stop
	let state: ChildState | undefined;
	while (!state) state = await nextChange(held, kinds, stops, who, signal);
	return state;
}

/** Resolves when there is something to see, with it, or with nothing where that was gone again. */
function nextChange(
	held: HeldPidfd,
	kinds: Kinds,
	stops: boolean,
	who: { pid: number; uid: number },
	signal: AbortSignal | undefined,
): Promise<ChildState | undefined> {
	return new Promise((resolve, reject) => {
		signal?.throwIfAborted(); // or nobody would ever say so
		const settle = () => {
			signal?.removeEventListener("abort", abort);
			leave(looking, who.pid, see);
			stop();
		};
		const abort = () => {
			settle();
			reject(signal?.reason);
		};
		const tell = (told?: ChildState) => {
			settle();
			try {
				resolve(told ?? look(held, kinds));
			} catch (error) {
				const kept = isGone(error) ? keptDeath(held, who) : undefined;
				if (kept) held.death = kept;
				if (kept) resolve(kept);
				else reject(error);
			}
		};
		const see = () => {
			const state = look(held, kinds);
			if (state) tell(state);
		};
		const ended = () => tell();
		const stop = stops
			? whenChanged(held, `${who.pid} ${waitBits(kinds)}`, waitBits(kinds), tell)
			: () => held.forgetEnd(ended);
		if (!stops) held.whenEnded(ended, false);
		join(looking, who.pid, see);
		signal?.addEventListener("abort", abort, { once: true });
	});
}

/** Calls `tell` when waitid(2) has something to say, on a thread of its own; returns how not to be told. */
function whenChanged(held: HeldPidfd, key: string, bits: number, tell: (state?: ChildState) => void): () => void {
	if (!threads.has(key)) {
		using pidfd = held.blocking();
		const id = native().watchPidfd(pidfd.fd, bits);
		threads.set(key, new Set());
		listen(id, ({ numbers }) => {
			forget(id);
			native().unwatch(id);
			const told = [...(threads.get(key) ?? [])];
			threads.delete(key);
			for (const one of told) one(numbers.length > 0 ? toState(numbers, 0) : undefined);
		});
	}
	threads.get(key)?.add(tell);
	keepAlive(1);
	return () => {
		threads.get(key)?.delete(tell);
		keepAlive(-1);
	};
}

function join<T>(sets: Map<number, Set<T>>, key: number, one: T): void {
	const set = sets.get(key) ?? new Set();
	sets.set(key, set.add(one));
}

function leave<T>(sets: Map<number, Set<T>>, key: number, one: T): void {
	const set = sets.get(key);
	if (set?.delete(one) && set.size === 0) sets.delete(key);
}
