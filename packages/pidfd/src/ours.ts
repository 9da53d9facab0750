import { ChildDeadError, type ChildProcess, type ChildState } from "@nearfar/core";
import { type StateKind, stateKinds } from "@nearfar/core/internal";

/** Waits for a child of ours, and takes no death from whoever waits for it there: it is remembered for all. */
export async function waitForOurs(
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
export function pollOurs(child: ChildProcess, wanted: ReadonlySet<StateKind>, nowait: boolean): ChildState | undefined {
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
