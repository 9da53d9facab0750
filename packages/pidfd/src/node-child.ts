import { ChildDeadError, type ChildState, Process, Task } from "@nearfar/core";
import {
	pid as checkPid,
	howItEnded,
	native,
	signalName,
	signalNumber,
	visiblePid,
	waitFlags,
	wrongType,
	wrongValue,
} from "@nearfar/core/internal";

/** What there is of a `ChildProcess` of `node:child_process`, in Node, Bun and Deno. */
export interface NodeChild {
	/** Its pid, once it has started. */
	readonly pid?: number | undefined;
	/** Its exit code, once it was reaped. */
	readonly exitCode: number | null;
	/** The signal that killed it, once it was reaped. */
	readonly signalCode: NodeJS.Signals | null;
}

const P_PIDFD = 3;

/** The pid of a child for a call of the current task, as long as its runtime has not reaped it. */
export function pidOfNodeChild(child: NodeChild): number {
	if (child === null || typeof child !== "object" || !("exitCode" in child) || !("signalCode" in child)) {
		throw wrongType("child", "a ChildProcess of node:child_process or of nearfar", child);
	}
	if (child.pid === undefined) throw wrongValue("child", "one that has started", child);
	const death = deathOfNodeChild(child);
	if (death) throw dead(child.pid, death);
	return visiblePid(new Process(checkPid(child.pid, "child.pid"), Task.near.pidNamespace));
}

/** How it ended, as its runtime says; `undefined`: that has not heard of it. The user id is not known there, and 0. */
export function deathOfNodeChild({ pid = 0, exitCode, signalCode }: NodeChild): ChildState | undefined {
	// For a signal without a name Node says that it exited with 0: the kernel is asked first.
	const signal = signalCode === null ? null : signalName(signalNumber(signalCode));
	if (signal !== null) return { state: "killed", pid, uid: 0, code: null, signal };
	return exitCode === null ? undefined : { state: "exited", pid, uid: 0, code: exitCode, signal: null };
}

/** Throws where a pidfd of this process is no child's: somebody had reaped that, on a thread of his own. */
export function assertChild(pidfd: number, child: NodeChild): void {
	try {
		native().waitid(P_PIDFD, pidfd, waitFlags.exited | waitFlags.nohang | waitFlags.nowait | waitFlags.all);
	} catch {
		throw dead(
			child.pid ?? 0,
			deathOfNodeChild(child) ?? { state: "exited", pid: 0, uid: 0, code: null, signal: null },
		);
	}
}

function dead(pid: number, state: ChildState): ChildDeadError {
	return new ChildDeadError(`cannot open process ${pid}: it ${howItEnded(state)}`, state);
}
