import { type ChildState, type ExitStatus, SyscallError, TaskGoneError } from "@nearfar/core";
import { toExitStatus, waitFlags } from "@nearfar/core/internal";
import type { HeldPidfd } from "./held-pidfd.ts";
import { identifyProcess } from "./identify.ts";
import { exitStatusOf, splitStatus } from "./info.ts";
import { deathOfNodeChild } from "./node-child.ts";
import { waitForOwnChild } from "./own-child.ts";

const REAPED_WITHIN = 1000; // milliseconds that a stranger's parent has

/** Waits for the end of any process. */
export async function exited(held: HeldPidfd, signal: AbortSignal | undefined): Promise<ExitStatus | undefined> {
	signal?.throwIfAborted();
	if (held.child) return toExitStatus(await waitForOwnChild(held.child, new Set(["exited"]), true, signal));
	if (held.death) return toExitStatus(held.death);
	held.hold();
	try {
		await untilEnded(held, false, signal);
		const status = endOf(held);
		if (status) return status;
		const near = held.near();
		const patience = AbortSignal.timeout(REAPED_WITHIN);
		while (identifyProcess(near) && !patience.aborted) {
			await untilEnded(held, true, signal ? AbortSignal.any([signal, patience]) : patience).catch((reason) => {
				if (!patience.aborted) throw reason;
			});
		}
		signal?.throwIfAborted();
		return endOf(held);
	} finally {
		held.release();
	}
}

/** Resolves when the process has ended; what is waited with is held meanwhile. */
function untilEnded(held: HeldPidfd, reaped: boolean, signal: AbortSignal | undefined): Promise<void> {
	return new Promise((resolve, reject) => {
		signal?.throwIfAborted(); // or nobody would ever say so
		const abort = () => {
			held.forgetEnd(tell);
			reject(signal?.reason);
		};
		const tell = () => {
			signal?.removeEventListener("abort", abort);
			resolve();
		};
		held.whenEnded(tell, reaped);
		signal?.addEventListener("abort", abort, { once: true });
	});
}

function endOf(held: HeldPidfd): ExitStatus | undefined {
	const near = held.near();
	const kept = keptStatus(near);
	if (kept !== undefined) return splitStatus(kept);
	const seen = seenByParent(held) ?? (held.nodeChild && deathOfNodeChild(held.nodeChild));
	if (seen) return toExitStatus(seen);
	const shown = statusOfZombie(near);
	return shown === undefined ? undefined : splitStatus(shown);
}

/** The death of one that somebody else has reaped, as far as the kernel or Node keeps it. */
export function keptDeath(held: HeldPidfd, who?: { pid: number; uid: number }): ChildState | undefined {
	if (held.child?.death) return held.child.death;
	held.hold();
	try {
		const status = keptStatus(held.near());
		if (status === undefined) return held.nodeChild && deathOfNodeChild(held.nodeChild);
		const { code, signal, dumped } = splitStatus(status);
		const state = signal === null ? "exited" : dumped ? "dumped" : "killed";
		const pid = who?.pid ?? held.nodeChild?.pid ?? 0;
		return { state, pid, uid: who?.uid ?? 0, code, signal };
	} finally {
		held.release();
	}
}

function keptStatus(near: number): number | undefined {
	try {
		return exitStatusOf(near);
	} catch (error) {
		if (error instanceof SyscallError) return undefined; // before Linux 6.15
		throw error;
	}
}

/** What waitid(2) tells a parent, and leaves there for whoever reaps. */
function seenByParent(held: HeldPidfd): ChildState | undefined {
	try {
		return held.waitid(waitFlags.exited | waitFlags.nowait);
	} catch (error) {
		if (error instanceof SyscallError || error instanceof TaskGoneError) return undefined; // not the parent
		throw error;
	}
}

/** The status of wait(2) that `/proc` shows of one that ended and was not reaped, to whom it may trace. */
function statusOfZombie(near: number): number | undefined {
	const { readFileSync, readlinkSync } = process.getBuiltinModule("node:fs");
	const pid = identifyProcess(near)?.pid;
	if (pid === undefined) return undefined;
	try {
		readlinkSync(`/proc/${pid}/ns/user`); // to whom this is refused, every status shows as 0
		const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
		const fields = stat.slice(stat.lastIndexOf(") ") + 2).split(" ");
		return fields[0] === "Z" && identifyProcess(near)?.pid === pid ? Number(fields[52 - 3]) : undefined;
	} catch {
		return undefined;
	}
}
