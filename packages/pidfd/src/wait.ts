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
import { identify } from "./identity.ts";
import { pollOurs, waitForOurs } from "./ours.ts";
import { isGone, type Subject } from "./subject.ts";

type Kinds = ReadonlySet<StateKind>;

// By pid: whoever takes a state from the kernel lets these see it first.
const looking = new Map<number, Set<() => void>>();

// By pid and what they wait for: a wait that is given up leaves its thread to the next one.
const threads = new Map<string, Set<(state: ChildState | undefined) => void>>();

/** The state that has happened already, if there is one. */
export function poll(subject: Subject, options: Omit<WaitOptions, "signal"> | undefined): ChildState | undefined {
	const { kinds: wanted, nowait } = toWanted(options);
	if (subject.child && subject.task.isNear) return pollOurs(subject.child, wanted, nowait);
	const state = look(subject, wanted);
	if (state && !wanted.has(stateKinds[state.state])) throw dead(subject, state);
	if (state && !nowait) take(subject, state).catch(() => {});
	return state;
}

/** Waits for a state. */
export async function wait(subject: Subject, options: WaitOptions | undefined): Promise<ChildState> {
	const { kinds: wanted, nowait, signal } = toWanted(options);
	signal?.throwIfAborted();
	if (subject.child && subject.task.isNear) return waitForOurs(subject.child, wanted, nowait, signal);
	subject.hold();
	try {
		const state = look(subject, wanted) ?? (await waitForChange(subject, wanted, signal));
		if (!nowait && wanted.has(stateKinds[state.state])) await take(subject, state);
		return state;
	} finally {
		subject.release();
	}
}

/** A state that is there, left where it is. */
function look(subject: Subject, wanted: Kinds): ChildState | undefined {
	const death = subject.death ?? subject.child?.death;
	if (death && !wanted.has("exited")) throw dead(subject, death);
	if (death) return death;
	try {
		const state = subject.waitid(waitBits(wanted) | waitFlags.nowait);
		if (state && stateKinds[state.state] === "exited") subject.death = state;
		return state;
	} catch (error) {
		const kept = isGone(error) ? unreported(subject, wanted) : undefined;
		if (!kept) throw error;
		subject.death = kept;
		return kept;
	}
}

/** The death of a child that waitid(2) does not know of: Node's loop has reaped its own, or nobody has asked for the end. */
function unreported(subject: Subject, wanted: Kinds): ChildState | undefined {
	try {
		if (!wanted.has("exited")) return subject.waitid(waitFlags.exited | waitFlags.nowait);
	} catch (error) {
		if (!isGone(error)) throw error;
	}
	return subject.nodeChild && keptDeath(subject);
}

function dead(subject: Subject, death: ChildState): ChildDeadError {
	const who = subject.child ?? `process ${death.pid || (subject.nodeChild?.pid ?? "")}`.trimEnd();
	return new ChildDeadError(`cannot wait for a stop of ${who}: it ${howItEnded(death)}`, death, subject.child?.command);
}

/** Takes a state from the kernel. A death only where nobody else does. */
async function take(subject: Subject, state: ChildState): Promise<void> {
	const kind = stateKinds[state.state];
	if (kind === "exited" && (subject.nodeChild || subject.child)) return;
	subject.hold();
	try {
		// It may be a child of Node's loop: what SIGCHLD has told that is dealt with in the turn between the two.
		const turns = kind === "exited" && subject.task.isNear ? 2 : 0;
		for (let turn = 0; turn < turns; turn++) await new Promise<void>((resolve) => setImmediate(resolve));
		if (looking.size > 0) for (const see of looking.get(identify(subject.near())?.pid ?? 0) ?? []) see();
		subject.waitid(waitFlags[kind]);
	} catch (error) {
		if (!isGone(error)) throw error; // somebody else has taken it
	} finally {
		subject.release();
	}
}

async function waitForChange(subject: Subject, wanted: Kinds, signal: AbortSignal | undefined): Promise<ChildState> {
	const stops = wanted.has("stopped") || wanted.has("continued");
	// As for a process that is not ours: only a thread of its parent hears of stops, and a task has one alone.
	if (stops && !subject.task.isNear) throw new SyscallError({ code: "ECHILD", errno: 10, syscall: "waitid" });
	if (subject.child) return waitForOurs(subject.child, wanted, true, signal);
	const who = identify(subject.near()) ?? { pid: 0, uid: 0 };
	const kinds: Kinds = new Set([...wanted, "exited"]); // a death ends a wait for a stop
	let state: ChildState | undefined;
	while (!state) state = await nextChange(subject, kinds, stops, who, signal);
	return state;
}

/** Resolves when there is something to see, with it, or with nothing where that was gone again. */
function nextChange(
	subject: Subject,
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
				resolve(told ?? look(subject, kinds));
			} catch (error) {
				const kept = isGone(error) ? keptDeath(subject, who) : undefined;
				if (kept) subject.death = kept;
				if (kept) resolve(kept);
				else reject(error);
			}
		};
		const see = () => {
			const state = look(subject, kinds);
			if (state) tell(state);
		};
		const ended = () => tell();
		const stop = stops
			? whenChanged(subject, `${who.pid} ${waitBits(kinds)}`, waitBits(kinds), tell)
			: () => subject.forgetEnd(ended);
		if (!stops) subject.whenEnded(ended, false);
		join(looking, who.pid, see);
		signal?.addEventListener("abort", abort, { once: true });
	});
}

/** Calls `tell` when waitid(2) has something to say, on a thread of its own; returns how not to be told. */
function whenChanged(subject: Subject, key: string, bits: number, tell: (state?: ChildState) => void): () => void {
	if (!threads.has(key)) {
		using pidfd = subject.blocking();
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
