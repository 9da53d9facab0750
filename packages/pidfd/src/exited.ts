import { type ChildState, type ExitStatus, SyscallError, TaskGoneError } from "@nearfar/core";
import { abortable, native, throwIfAborted, toExitStatus, waitFlags } from "@nearfar/core/internal";
import type { HeldPidfd } from "./held-pidfd.ts";
import type { Identity } from "./identify.ts";
import { splitStatus } from "./info.ts";
import { deathOfNodeChild } from "./node-child.ts";
import { waitForOwnChild } from "./own-child.ts";

const REAPING_TIME = 1000; // milliseconds that the parent of another process gets to reap it

/** Waits for the end of any process, and returns how it ended. `undefined`: the end is known, the status is not. */
export async function waitForEnd(held: HeldPidfd, signal: AbortSignal | undefined): Promise<ExitStatus | undefined> {
	throwIfAborted(signal);
	if (held.child) return toExitStatus(await waitForOwnChild(held.child, new Set(["exited"]), true, signal));
	if (held.death) return toExitStatus(held.death);
	held.hold();
	try {
		await untilEnded(held, false, signal);
		const status = readEnd(held);
		if (status) return status;
		// The kernel keeps a status from the moment of the reaping on (Linux 6.15).
		const near = held.nearNumber();
		const timeout = AbortSignal.timeout(REAPING_TIME);
		while (isUnreaped(near) && !timeout.aborted) {
			await untilEnded(held, true, signal ? AbortSignal.any([signal, timeout]) : timeout).catch((error) => {
				if (!timeout.aborted) throw error;
			});
		}
		throwIfAborted(signal);
		return readEnd(held);
	} finally {
		held.release();
	}
}

/**
 * Resolves when the process has ended; with `reaped` when the process has been reaped, or already when it has ended.
 */
function untilEnded(held: HeldPidfd, reaped: boolean, signal: AbortSignal | undefined): Promise<void> {
	return abortable<void>(signal, (resolve) => {
		held.whenEnded(resolve, reaped);
		return () => held.cancelWhenEnded(resolve);
	});
}

/**
 * True while a process of the pid namespace of Node was not reaped. A process that has ended takes the signal 0 until then. The signal
 * needs no `/proc` and no free descriptor, which the pid of the process needs before Linux 6.13.
 */
function isUnreaped(near: number): boolean {
	try {
		native().pidfdSendSignal(near, 0, 0);
		return true;
	} catch (error) {
		if (error instanceof SyscallError) return error.code === "EPERM";
		throw error;
	}
}

/** Reads how a process ended from every source that may know it. */
function readEnd(held: HeldPidfd): ExitStatus | undefined {
	const near = held.nearNumber();
	const kept = readExitInfo(near);
	if (kept !== undefined) return splitStatus(kept);
	const seen = peekAsParent(held) ?? (held.nodeChild && deathOfNodeChild(held.nodeChild));
	if (seen) return toExitStatus(seen);
	const shown = native().zombieStatus(near);
	return shown === null ? undefined : splitStatus(shown);
}

/**
 * Returns the death of a child that another thread or Node's event loop has reaped. `undefined`: neither the kernel nor
 * Node knows it.
 *
 * @param identity - The ids of the process from before its death, which the kernel does not keep.
 */
export function findReapedDeath(held: HeldPidfd, identity?: Identity): ChildState | undefined {
	if (held.child?.death) return held.child.death;
	held.hold();
	try {
		const status = readExitInfo(held.nearNumber());
		if (status === undefined) return held.nodeChild && deathOfNodeChild(held.nodeChild);
		const { code, signal, dumped } = splitStatus(status);
		const state = signal === null ? "exited" : dumped ? "dumped" : "killed";
		const pid = identity?.pid ?? held.nodeChild?.pid ?? 0;
		return { state, pid, uid: identity?.uid ?? 0, code, signal };
	} finally {
		held.release();
	}
}

/** Returns the wait status that the kernel keeps of a reaped process. `undefined`: not reaped, or before Linux 6.15. */
function readExitInfo(near: number): number | undefined {
	try {
		return native().exitStatus(near) ?? undefined;
	} catch (error) {
		if (error instanceof SyscallError) return undefined;
		throw error;
	}
}

/**
 * Returns the death that waitid(2) shows to the parent, without reaping. `undefined`: the waiting task is not the
 * parent.
 */
function peekAsParent(held: HeldPidfd): ChildState | undefined {
	try {
		return held.waitid(waitFlags.exited | waitFlags.nowait);
	} catch (error) {
		if (error instanceof SyscallError || error instanceof TaskGoneError) return undefined;
		throw error;
	}
}
