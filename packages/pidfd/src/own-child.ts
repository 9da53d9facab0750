import { ChildDeadError, type ChildProcess, type ChildState, SyscallError, Task } from "@nearfar/core";
import { holdChild, livingChild, type StateKind, stateKinds, taskOf } from "@nearfar/core/internal";
import type { HeldPidfd } from "./held-pidfd.ts";
import { identifyProcess } from "./identify.ts";

/**
 * Returns the child of nearfar that a pidfd stands for. `undefined`: the process is none, or cannot be identified, because there is no
 * `/proc` before Linux 6.13. Throws EBADF for another descriptor, and EMFILE where reading `/proc` needs a free one.
 */
export function findOwnChild(held: HeldPidfd): ChildProcess | undefined {
	held.hold();
	try {
		const pid = () => Task.near.run(() => identifyProcess(held.nearNumber())?.pid ?? 0);
		const child = livingChild(pid());
		// The pid is read again while the child cannot be reaped: between the first look and now the child could have been
		// reaped and its pid given to the process of the pidfd.
		return child && holdChild(child, "wait for", pid) === child.pid ? child : undefined;
	} catch (error) {
		if (error instanceof SyscallError && error.code === "ENOTTY") {
			throw new SyscallError({ code: "EBADF", errno: 9, syscall: "waitid" }, taskOf(held.task)); // as waitid(2) itself
		}
		if (error instanceof ChildDeadError) return undefined;
		// The answer is kept. Where only a descriptor or memory is missing now, a child of nearfar would be a stranger for ever.
		if (error instanceof SyscallError && !["EMFILE", "ENFILE", "ENOMEM"].includes(error.code)) return undefined;
		throw error;
	} finally {
		held.release();
	}
}

/** Waits for a state of a child of nearfar. A death is never taken from the child's own waits, which all get it. */
export async function waitForOwnChild(
	child: ChildProcess,
	wanted: ReadonlySet<StateKind>,
	nowait: boolean,
	signal: AbortSignal | undefined,
): Promise<ChildState> {
	try {
		const options = { ...waitOptions(wanted), nowait: nowait || wanted.has("exited"), ...(signal && { signal }) };
		const state = await child.wait(options);
		consumeStop(child, wanted, nowait, state);
		return state;
	} catch (error) {
		return rememberedDeath(error, wanted);
	}
}

/**
 * Returns a state of a child of nearfar that has happened already; `undefined`: none. Takes the same states as a wait.
 */
export function pollOwnChild(
	child: ChildProcess,
	wanted: ReadonlySet<StateKind>,
	nowait: boolean,
): ChildState | undefined {
	try {
		const state = child.poll({ ...waitOptions(wanted), nowait: nowait || wanted.has("exited") });
		if (state) consumeStop(child, wanted, nowait, state);
		return state;
	} catch (error) {
		return rememberedDeath(error, wanted);
	}
}

/** Consumes a stop or continuation, which a wait that is also for the death has left because of its `nowait`. */
function consumeStop(child: ChildProcess, wanted: ReadonlySet<StateKind>, nowait: boolean, state: ChildState): void {
	if (nowait || !wanted.has("exited") || stateKinds[state.state] === "exited" || child.death) return;
	child.poll({ exited: false, [stateKinds[state.state]]: true });
}

/** Returns the death from a `ChildDeadError` if the wait is for the death. Throws the error otherwise. */
function rememberedDeath(error: unknown, wanted: ReadonlySet<StateKind>): ChildState {
	if (error instanceof ChildDeadError && wanted.has("exited")) return error.state;
	throw error;
}

function waitOptions(wanted: ReadonlySet<StateKind>) {
	return { exited: wanted.has("exited"), stopped: wanted.has("stopped"), continued: wanted.has("continued") };
}
