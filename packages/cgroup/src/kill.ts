import { type FileDescriptor, SyscallError } from "@nearfar/core";
import { adoptDescriptor, native, numberOf } from "@nearfar/core/internal";
import { type Directory, near } from "./directory.ts";
import { isRemovedError } from "./errors.ts";
import { refuseOwn } from "./own.ts";
import { eventIn, pidsIn } from "./state.ts";
import { eachBelow } from "./tree.ts";
import { waitForState } from "./waiting.ts";

const SIGKILL = 9;
const PATIENCE = 1000; // milliseconds until the processes are killed once more

/** Kills every process of a cgroup and below. Resolves when none is left. */
export async function kill(directory: Directory): Promise<void> {
	refuseOwn(directory, "kill");
	await killUntil(directory, Number.POSITIVE_INFINITY);
}

/**
 * Kills every process of a cgroup and below, until none is left.
 *
 * @param deadline - When to give up, as `performance.now()` counts.
 * @returns false if there still were processes at the deadline.
 */
export async function killUntil(directory: Directory, deadline: number): Promise<boolean> {
	let left = eventIn(directory, "populated") !== false;
	try {
		while (left && performance.now() < deadline) {
			await killOnce(directory);
			const until = Math.min(deadline, performance.now() + PATIENCE);
			left = !(await waitForState(directory, ({ populated }) => !populated, until));
		}
	} catch (error) {
		if (!isRemovedError(error)) throw error;
		return true; // only a cgroup without processes can be removed
	}
	return !left;
}

async function killOnce(directory: Directory): Promise<void> {
	try {
		await directory.writeInHelper("cgroup.kill", "1");
	} catch (error) {
		if (!(error instanceof SyscallError) || error.code !== "ENOENT") throw error;
		await killFrozen(directory); // before Linux 5.14
	}
}

/** Kills the processes one by one, as before Linux 5.14. They are frozen, so that they do not fork meanwhile. */
export async function killFrozen(directory: Directory): Promise<void> {
	const wasFrozen = directory.read("cgroup.freeze").trim() === "1";
	await directory.writeInHelper("cgroup.freeze", "1");
	try {
		// A process that the kernel cannot freeze does not keep the others alive.
		await waitForState(directory, ({ frozen }) => frozen, performance.now() + PATIENCE);
		const refusals: unknown[] = [];
		eachBelow(directory, (each) => near("kill the processes of a cgroup", () => killEach(each, refusals)));
		if (refusals.length > 0) throw refusals[0];
	} finally {
		if (!wasFrozen) await directory.writeInHelper("cgroup.freeze", "0");
	}
}

/** Kills the processes of one directory. By the time of the call another process could have the pid of one that has ended. */
function killEach(directory: Directory, refusals: unknown[]): void {
	const held = (pidsIn(directory) ?? []).flatMap((pid) => {
		const pidfd = openPidfd(pid);
		return pidfd ? [{ pid, pidfd }] : [];
	});
	const present = new Set(pidsIn(directory));
	for (const { pid, pidfd } of held) {
		using _ = pidfd;
		if (!present.has(pid)) continue;
		try {
			native().pidfdSendSignal(numberOf(pidfd), SIGKILL, 0);
		} catch (error) {
			if (!isEnded(error)) refusals.push(error);
		}
	}
}

/** `undefined`: the process has ended, or belongs to another pid namespace, which is shown as 0. */
function openPidfd(pid: number): FileDescriptor | undefined {
	if (pid === 0) return undefined;
	try {
		return adoptDescriptor(native().pidfdOpen(pid, 0));
	} catch (error) {
		if (isEnded(error)) return undefined;
		throw error;
	}
}

function isEnded(error: unknown): boolean {
	return error instanceof SyscallError && error.code === "ESRCH";
}
