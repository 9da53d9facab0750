import { ChildDeadError, type ChildProcess, type ChildState, SyscallError, Task } from "@nearfar/core";
import { holdChild, livingChild, type StateKind, stateKinds } from "@nearfar/core/internal";
import type { HeldPidfd } from "./held-pidfd.ts";
import { identifyProcess } from "./identify.ts";

/** Which of our children it is, if it is one. */
export function findOwnChild(held: HeldPidfd): ChildProcess | undefined {
	held.hold();
	try {
		const who = () => Task.near.run(() => identifyProcess(held.near())?.pid ?? 0);
		const child = livingChild(who());
		// While it is held nobody else can have its pid.
		return child && holdChild(child, "wait for", who) === child.pid ? child : undefined;
	} catch (error) {
		// As waitid(2) answers for what is no pidfd.
		if (error instanceof SyscallError && error.code === "ENOTTY") throw notPidfd();
		if (error instanceof ChildDeadError || error instanceof SyscallError) return undefined;
		throw error;
	} finally {
		held.release();
	}
}

function notPidfd(): SyscallError {
	return new SyscallError({ code: "EBADF", errno: 9, syscall: "waitid" });
}

/** Waits for a child of ours, and takes no death from whoever waits for it there: it is remembered for all. */
export async function waitForOwnChild(
	child: ChildProcess,
	wanted: ReadonlySet<StateKind>,
	nowait: boolean,
	signal: AbortSignal | undefined,
): Promise<ChildState> {
	try {
		const options = { ...asOptions(wanted), nowait: nowait || wanted.has("exited"), ...(signal && { signal }) };
		const state = await child.wait(options);
		takeStop(child, wanted, nowait, state);
		return state;
	} catch (error) {
		return remembered(error, wanted);
	}
}

/** The same, and never waits. */
export function pollOwnChild(
	child: ChildProcess,
	wanted: ReadonlySet<StateKind>,
	nowait: boolean,
): ChildState | undefined {
	try {
		const state = child.poll({ ...asOptions(wanted), nowait: nowait || wanted.has("exited") });
		if (state) takeStop(child, wanted, nowait, state);
		return state;
	} catch (error) {
		return remembered(error, wanted);
	}
}

/** A wait that is also for the end had to leave a stop where it was. */
function takeStop(child: ChildProcess, wanted: ReadonlySet<StateKind>, nowait: boolean, state: ChildState): void {
	if (nowait || !wanted.has("exited") || stateKinds[state.state] === "exited" || child.death) return;
	child.poll({ exited: false, [stateKinds[state.state]]: true });
}

function remembered(error: unknown, wanted: ReadonlySet<StateKind>): ChildState {
	if (error instanceof ChildDeadError && wanted.has("exited")) return error.state;
	throw error;
}

function asOptions(wanted: ReadonlySet<StateKind>) {
	return { exited: wanted.has("exited"), stopped: wanted.has("stopped"), continued: wanted.has("continued") };
}
