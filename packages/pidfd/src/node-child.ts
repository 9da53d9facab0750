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

/**
 * The properties of a `ChildProcess` of `node:child_process` that {@link PidFd.of} reads, in Node, Bun and Deno.
 *
 * @example
 * ```ts
 * import { spawn } from "node:child_process";
 *
 * const child: NodeChild = spawn("true");
 * using pidfd = PidFd.of(child);
 * ```
 */
export interface NodeChild {
	/** The pid, once the child has started. */
	readonly pid?: number | undefined;
	/** The exit code, once the child was reaped and unless a signal killed it. */
	readonly exitCode: number | null;
	/** The signal that killed the child, once it was reaped. */
	readonly signalCode: NodeJS.Signals | null;
}

const P_PIDFD = 3;

/** Returns the pid of a child for a call of the current task. Throws when the runtime has reaped the child. */
export function pidOfNodeChild(child: NodeChild): number {
	if (child === null || typeof child !== "object" || !("exitCode" in child) || !("signalCode" in child)) {
		throw wrongType("child", "a ChildProcess of node:child_process or of nearfar", child);
	}
	if (child.pid === undefined) throw wrongValue("child", "a child that has started: this one has no pid", child);
	const death = deathOfNodeChild(child);
	if (death) throw childDeadError(child.pid, death);
	return visiblePid(new Process(checkPid(child.pid, "child.pid"), Task.near.pidNamespace));
}

/**
 * Returns how a child ended, from the properties that its runtime sets, without the user id. `undefined`: the runtime
 * has not reaped the child.
 */
export function deathOfNodeChild({ pid = 0, exitCode, signalCode }: NodeChild): ChildState | undefined {
	// Node reports a death by a real-time signal as exit code 0. Callers therefore ask the kernel first.
	const signal = signalCode === null ? null : signalName(signalNumber(signalCode));
	if (signal !== null) return { state: "killed", pid, uid: 0, code: null, signal };
	return exitCode === null ? undefined : { state: "exited", pid, uid: 0, code: exitCode, signal: null };
}

/**
 * Throws when a pidfd of this process does not stand for a child. The child may have been reaped on another thread
 * between reading its pid and opening the pidfd, and another process may have got the pid.
 */
export function assertChild(pidfd: number, child: NodeChild): void {
	try {
		native().waitid(P_PIDFD, pidfd, waitFlags.exited | waitFlags.nohang | waitFlags.nowait | waitFlags.all);
	} catch {
		throw childDeadError(
			child.pid ?? 0,
			deathOfNodeChild(child) ?? { state: "exited", pid: 0, uid: 0, code: null, signal: null },
		);
	}
}

function childDeadError(pid: number, state: ChildState): ChildDeadError {
	return new ChildDeadError(`cannot open process ${pid}: it ${howItEnded(state)}`, state);
}
