import { ChildBusyError, ChildDeadError, type ChildState, SyscallError, type WaitOptions } from "@nearfar/core";
import {
	abortable,
	forget,
	howItEnded,
	keepAlive,
	listen,
	native,
	type StateKind,
	stateKinds,
	taskOf,
	throwIfAborted,
	toAsked,
	toState,
	toWanted,
	waitBits,
	waitFlags,
} from "@nearfar/core/internal";
import { findReapedDeath } from "./exited.ts";
import { type HeldPidfd, isNoSuchChild } from "./held-pidfd.ts";
import { type Identity, identifyProcess } from "./identify.ts";
import { pollOwnChild, waitForOwnChild } from "./own-child.ts";

type Kinds = ReadonlySet<StateKind>;
type StopListener = (state: ChildState | undefined) => void;

// By pid: the waits that look at a state before another wait consumes it, so that all waits get it.
const observers = new Map<number, Set<() => void>>();

// By pid and flags: the listeners of each thread that blocks in waitid(2). The thread outlives an aborted wait, and
// serves the next wait for the same states.
const stopListeners = new Map<string, Set<StopListener>>();

/** Returns a state that has happened already; `undefined`: none. */
export function pollState(held: HeldPidfd, options: Omit<WaitOptions, "signal"> | undefined): ChildState | undefined {
	const { kinds, nowait } = toAsked(options);
	if (held.child && held.task.isNear) return pollOwnChild(held.child, kinds, nowait);
	const state = peekState(held, kinds);
	if (state && !kinds.has(stateKinds[state.state])) throw childDeadError(held, state);
	if (state && !nowait) consumeState(held, state).catch(() => {}); // `poll` is synchronous, and the caller has the state
	return state;
}

/** Waits for a state. A death ends a wait for a stop or a continuation too. */
export async function waitForState(held: HeldPidfd, options: WaitOptions | undefined): Promise<ChildState> {
	const { kinds, nowait, signal } = toWanted(options);
	throwIfAborted(signal);
	if (held.child && held.task.isNear) return waitForOwnChild(held.child, kinds, nowait, signal);
	held.hold();
	try {
		let state = peekState(held, kinds);
		if (!state && !nowait && kinds.has("exited")) refuseForeignChild(held);
		state ??= await waitForChange(held, kinds, signal);
		if (!nowait && kinds.has(stateKinds[state.state])) await consumeState(held, state);
		return state;
	} finally {
		held.release();
	}
}

/**
 * Throws for a living child of this process that nearfar did not start, or started on another thread. Its runtime waits for
 * it, too. Where this wait reaped it first, the runtime would find no such child: on Deno that ends the process.
 */
function refuseForeignChild(held: HeldPidfd): void {
	if (!held.task.isNear || held.child || held.nodeChild) return;
	const child = `process ${identifyProcess(held.nearNumber())?.pid ?? ""}`.trimEnd();
	throw new ChildBusyError(
		`cannot reap ${child}: the code that has started this child waits for it, too. Open the child with PidFd.of, or set nowait`,
	);
}

/** Returns a state that has happened, and leaves it in the kernel (WNOWAIT). `undefined`: none yet. */
function peekState(held: HeldPidfd, kinds: Kinds): ChildState | undefined {
	const death = held.death ?? held.child?.death;
	if (death && !kinds.has("exited")) throw childDeadError(held, death);
	if (death) return death;
	try {
		const state = held.waitid(waitBits(kinds) | waitFlags.nowait);
		if (state && stateKinds[state.state] === "exited") held.death = state;
		return state;
	} catch (error) {
		const found = isNoSuchChild(error) ? findUnreportedDeath(held, kinds) : undefined;
		if (!found) throw error;
		held.death = found;
		return found;
	}
}

/**
 * Returns the death of a process for which waitid(2) has failed with ECHILD. There are two causes: the wait was not for
 * the death and the child is a zombie, or Node's event loop has reaped its child.
 */
function findUnreportedDeath(held: HeldPidfd, kinds: Kinds): ChildState | undefined {
	try {
		if (!kinds.has("exited")) return held.waitid(waitFlags.exited | waitFlags.nowait);
	} catch (error) {
		if (!isNoSuchChild(error)) throw error;
	}
	return held.nodeChild && findReapedDeath(held);
}

function childDeadError(held: HeldPidfd, death: ChildState): ChildDeadError {
	const process = held.child ?? `process ${death.pid || (held.nodeChild?.pid ?? "")}`.trimEnd();
	return new ChildDeadError(
		`cannot wait for a stop of ${process}: it ${howItEnded(death)}`,
		death,
		held.child?.command,
	);
}

/** Consumes a state in the kernel. A death of a child that nearfar or Node reaps is left to them. */
async function consumeState(held: HeldPidfd, state: ChildState): Promise<void> {
	const kind = stateKinds[state.state];
	if (kind === "exited" && (held.nodeChild || held.child)) return;
	held.hold();
	try {
		// The process may be a child of the runtime, opened by its number. If the death were consumed now, the runtime's own
		// waitpid(2) would fail and its event `exit` would not come. Node handles a SIGCHLD before it runs an immediate. Deno
		// does so on another thread, while the timers run. On a busy machine two timers may fire in one turn of the loop.
		const turns = kind === "exited" && held.task.isNear ? 2 : 0;
		for (let turn = 0; turn < turns; turn++) {
			await new Promise<void>((resolve) => setTimeout(resolve, 1));
			await new Promise<void>((resolve) => setImmediate(resolve));
		}
		if (observers.size > 0) {
			for (const observe of observers.get(identifyProcess(held.nearNumber())?.pid ?? 0) ?? []) observe();
		}
		held.waitid(waitFlags[kind]);
	} catch (error) {
		if (!isNoSuchChild(error)) throw error; // another wait has consumed the state
	} finally {
		held.release();
	}
}

async function waitForChange(held: HeldPidfd, wanted: Kinds, signal: AbortSignal | undefined): Promise<ChildState> {
	const stops = wanted.has("stopped") || wanted.has("continued");
	// Only a thread of the parent can block in waitid(2) for a stop, and the only thread of a task has to serve its
	// channel.
	if (stops && !held.task.isNear)
		throw new SyscallError({ code: "ECHILD", errno: 10, syscall: "waitid" }, taskOf(held.task));
	if (held.child) return waitForOwnChild(held.child, wanted, true, signal);
	const identity = identifyProcess(held.nearNumber()) ?? { pid: 0, uid: 0 };
	const kinds: Kinds = new Set([...wanted, "exited"]); // a death ends a wait for a stop
	let state: ChildState | undefined;
	while (!state) state = await nextChange(held, kinds, stops, identity, signal);
	return state;
}

/** Resolves when a state may have happened: with the state, or with `undefined` if another wait has consumed it. */
function nextChange(
	held: HeldPidfd,
	kinds: Kinds,
	stops: boolean,
	identity: Identity,
	signal: AbortSignal | undefined,
): Promise<ChildState | undefined> {
	return abortable(signal, (resolve, reject) => {
		const stopListening = () => {
			removeFrom(observers, identity.pid, observe);
			cancel();
		};
		const finish = (known?: ChildState) => {
			stopListening();
			try {
				resolve(known ?? peekState(held, kinds));
			} catch (error) {
				const death = isNoSuchChild(error) ? findReapedDeath(held, identity) : undefined;
				if (death) held.death = death;
				if (death) resolve(death);
				else reject(error);
			}
		};
		const observe = () => {
			const state = peekState(held, kinds);
			if (state) finish(state);
		};
		const cancel = stops
			? whenStopped(held, `${identity.pid} ${waitBits(kinds)}`, waitBits(kinds), finish)
			: whenEnded(held, () => finish());
		addTo(observers, identity.pid, observe);
		return stopListening;
	});
}

/** Calls `listener` when the process has ended. Returns a function that cancels that. */
function whenEnded(held: HeldPidfd, listener: () => void): () => void {
	held.whenEnded(listener, false);
	return () => held.cancelWhenEnded(listener);
}

/** Calls `listener` when waitid(2) has returned on a thread of its own. Returns a function that cancels that. */
function whenStopped(held: HeldPidfd, key: string, bits: number, listener: StopListener): () => void {
	if (!stopListeners.has(key)) {
		using pidfd = held.openBlocking();
		const id = native().watchPidfd(pidfd.fd, bits);
		stopListeners.set(key, new Set());
		listen(id, ({ numbers }) => {
			forget(id);
			native().unwatch(id);
			const listeners = [...(stopListeners.get(key) ?? [])];
			stopListeners.delete(key);
			for (const one of listeners) one(numbers.length > 0 ? toState(numbers, 0) : undefined);
		});
	}
	stopListeners.get(key)?.add(listener);
	keepAlive(1);
	return () => {
		stopListeners.get(key)?.delete(listener);
		keepAlive(-1);
	};
}

function addTo<T>(sets: Map<number, Set<T>>, key: number, value: T): void {
	const set = sets.get(key) ?? new Set();
	sets.set(key, set.add(value));
}

function removeFrom<T>(sets: Map<number, Set<T>>, key: number, value: T): void {
	const set = sets.get(key);
	if (set?.delete(value) && set.size === 0) sets.delete(key);
}
