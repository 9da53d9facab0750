import { type FileDescriptor, SyscallError } from "@nearfar/core";
import { adoptDescriptor, native, numberOf } from "@nearfar/core/internal";
import { type Directory, near } from "./directory.ts";
import { isRemovedError } from "./errors.ts";
import { refuseOwn } from "./own.ts";
import { eventIn, pidsIn } from "./state.ts";
import { childrenOf } from "./tree.ts";
import { waitForState } from "./waiting.ts";

const SIGKILL = 9;
const PATIENCE = 200; // milliseconds until the processes are killed once more
const ROUNDS = 10; // in which the processes are killed one by one
const SLICE = 8; // processes that are killed before the event loop goes on

/** Kills every process of a cgroup and below. Resolves when none is left. */
export async function kill(directory: Directory): Promise<void> {
	refuseOwn(directory, "kill");
	await killUntil(directory, killForReuse);
}

/**
 * Kills every process of a cgroup and below, until none is left.
 *
 * @param directory - The cgroup.
 * @param killOnce - Kills those that are there. Called again while one is left.
 * @param deadline - When to give up, as `performance.now()` counts. Default: never.
 * @returns false if there still were processes at the deadline.
 */
export async function killUntil(
	directory: Directory,
	killOnce: (directory: Directory, round: number) => Promise<void>,
	deadline = Number.POSITIVE_INFINITY,
): Promise<boolean> {
	let left = eventIn(directory, "populated") !== false;
	try {
		for (let round = 0; left && performance.now() < deadline; round++) {
			await killOnce(directory, round);
			const until = Math.min(deadline, performance.now() + PATIENCE);
			left = !(await waitForState(directory, ({ populated }) => !populated, until));
		}
	} catch (error) {
		if (!isRemovedError(error)) throw error;
		return true; // only a cgroup without processes can be removed
	}
	return !left;
}

/** Kills the processes of a cgroup that takes no new ones afterwards. */
export async function killForGood(directory: Directory): Promise<void> {
	try {
		await directory.writeInHelper("cgroup.kill", "1");
	} catch (error) {
		if (!(error instanceof SyscallError) || error.code !== "ENOENT") throw error;
		await killFrozen(directory); // before Linux 5.14
	}
}

/**
 * Kills the processes of a cgroup that may take new ones afterwards. After a write to `cgroup.kill`, Linux 6.1 and 6.18 kill every process that
 * is cloned into the cgroup from another one, because they compare the numbers of kills of two cgroups; 6.12 and 7.3 do not.
 * So that file is the last resort here, for processes that this one cannot see or may not signal.
 */
async function killForReuse(directory: Directory, round: number): Promise<void> {
	const isThreaded = pidsIn(directory) === undefined;
	if (isThreaded || round >= ROUNDS || !(await killFrozen(directory))) await killForGood(directory);
}

/**
 * Kills the processes one by one. They are frozen, so that they do not fork meanwhile.
 *
 * @returns false if this process may not kill one of them.
 */
export async function killFrozen(directory: Directory): Promise<boolean> {
	const wasFrozen = directory.read("cgroup.freeze").trim() === "1";
	await directory.writeInHelper("cgroup.freeze", "1");
	try {
		// A process that the kernel cannot freeze does not keep the others alive.
		await waitForState(directory, ({ frozen, populated }) => frozen || !populated, performance.now() + PATIENCE);
		return await killTree(directory);
	} finally {
		if (!wasFrozen) await directory.writeInHelper("cgroup.freeze", "0");
	}
}

/** Kills the processes of a directory and of those below. Returns false if this process may not kill one of them. */
async function killTree(directory: Directory): Promise<boolean> {
	let killed = true;
	const pids = pidsIn(directory) ?? []; // the processes of a threaded cgroup are those of its domain
	for (let first = 0; first < pids.length; first += SLICE) {
		const slice = pids.slice(first, first + SLICE);
		killed = near("kill the processes of a cgroup", () => killEach(directory, slice)) && killed;
		await new Promise((resolve) => setImmediate(resolve));
	}
	for (const child of childrenOf(directory)) {
		try {
			killed = (await killTree(child.directory)) && killed;
		} catch (error) {
			if (!isRemovedError(error)) throw error;
		}
	}
	return killed;
}

/** Kills some processes of a directory. By the time of the call another process could have the pid of one that has ended. */
function killEach(directory: Directory, pids: readonly number[]): boolean {
	const held = new Map<number, FileDescriptor>();
	try {
		for (const pid of pids) {
			const pidfd = openPidfd(pid);
			if (pidfd) held.set(pid, pidfd);
		}
		const present = pidsIn(directory) ?? [];
		return present.reduce((killed, pid) => killOne(held.get(pid)) && killed, true);
	} finally {
		for (const pidfd of held.values()) pidfd.close();
	}
}

/** Returns false if this process may not kill the process. One that was not there when the pidfds were opened is left out. */
function killOne(pidfd: FileDescriptor | undefined): boolean {
	if (!pidfd) return true;
	try {
		native().pidfdSendSignal(numberOf(pidfd), SIGKILL, 0);
	} catch (error) {
		if (error instanceof SyscallError && error.code === "EPERM") return false;
		if (!isEnded(error)) throw error;
	}
	return true;
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
