import { type ChildState, type ExitStatus, SyscallError, TaskGoneError } from "@nearfar/core";
import { toExitStatus, waitFlags } from "@nearfar/core/internal";
import { identify } from "./identity.ts";
import { exitStatusOf, splitStatus } from "./info.ts";
import { deathOfNodeChild } from "./node-child.ts";
import { waitForOurs } from "./ours.ts";
import type { Subject } from "./subject.ts";

const REAPED_WITHIN = 1000; // milliseconds that a stranger's parent has

/** Waits for the end of any process. */
export async function exited(subject: Subject, signal: AbortSignal | undefined): Promise<ExitStatus | undefined> {
	signal?.throwIfAborted();
	if (subject.child) return toExitStatus(await waitForOurs(subject.child, new Set(["exited"]), true, signal));
	if (subject.death) return toExitStatus(subject.death);
	subject.hold();
	try {
		await untilEnded(subject, false, signal);
		const status = endOf(subject);
		if (status) return status;
		const near = subject.near();
		const patience = AbortSignal.timeout(REAPED_WITHIN);
		while (identify(near) && !patience.aborted) {
			await untilEnded(subject, true, signal ? AbortSignal.any([signal, patience]) : patience).catch((reason) => {
				if (!patience.aborted) throw reason;
			});
		}
		signal?.throwIfAborted();
		return endOf(subject);
	} finally {
		subject.release();
	}
}

/** Resolves when the process has ended; what is waited with is held meanwhile. */
function untilEnded(subject: Subject, reaped: boolean, signal: AbortSignal | undefined): Promise<void> {
	return new Promise((resolve, reject) => {
		signal?.throwIfAborted(); // or nobody would ever say so
		const abort = () => {
			subject.forgetEnd(tell);
			reject(signal?.reason);
		};
		const tell = () => {
			signal?.removeEventListener("abort", abort);
			resolve();
		};
		subject.whenEnded(tell, reaped);
		signal?.addEventListener("abort", abort, { once: true });
	});
}

function endOf(subject: Subject): ExitStatus | undefined {
	const near = subject.near();
	const kept = keptStatus(near);
	if (kept !== undefined) return splitStatus(kept);
	const seen = seenByParent(subject) ?? (subject.nodeChild && deathOfNodeChild(subject.nodeChild));
	if (seen) return toExitStatus(seen);
	const shown = statusOfZombie(near);
	return shown === undefined ? undefined : splitStatus(shown);
}

/** The death of one that somebody else has reaped, as far as the kernel or Node keeps it. */
export function keptDeath(subject: Subject, who?: { pid: number; uid: number }): ChildState | undefined {
	if (subject.child?.death) return subject.child.death;
	subject.hold();
	try {
		const status = keptStatus(subject.near());
		if (status === undefined) return subject.nodeChild && deathOfNodeChild(subject.nodeChild);
		const { code, signal, dumped } = splitStatus(status);
		const state = signal === null ? "exited" : dumped ? "dumped" : "killed";
		const pid = who?.pid ?? subject.nodeChild?.pid ?? 0;
		return { state, pid, uid: who?.uid ?? 0, code, signal };
	} finally {
		subject.release();
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
function seenByParent(subject: Subject): ChildState | undefined {
	try {
		return subject.waitid(waitFlags.exited | waitFlags.nowait);
	} catch (error) {
		if (error instanceof SyscallError || error instanceof TaskGoneError) return undefined; // not the parent
		throw error;
	}
}

/** The status of wait(2) that `/proc` shows of one that ended and was not reaped, to whom it may trace. */
function statusOfZombie(near: number): number | undefined {
	const { readFileSync, readlinkSync } = process.getBuiltinModule("node:fs");
	const pid = identify(near)?.pid;
	if (pid === undefined) return undefined;
	try {
		readlinkSync(`/proc/${pid}/ns/user`); // to whom this is refused, every status shows as 0
		const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
		const fields = stat.slice(stat.lastIndexOf(") ") + 2).split(" ");
		return fields[0] === "Z" && identify(near)?.pid === pid ? Number(fields[52 - 3]) : undefined;
	} catch {
		return undefined;
	}
}
