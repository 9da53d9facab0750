import { setImmediate } from "node:timers/promises";
import { SyscallError } from "@nearfar/core";
import type { Directory } from "./directory.ts";
import { CgroupError } from "./errors.ts";
import { isRoot, pidsIn } from "./state.ts";

const MOST_ROUNDS = 100; // in which nothing could be moved: each process had ended, and another one was there

/** Moves every process of a directory into a new child. */
export async function evacuateInto(directory: Directory, name: string): Promise<void> {
	if (isRoot(directory)) {
		const hint = "make groups beside the processes: the kernel allows that in the root of all cgroups, and there alone";
		throw new CgroupError("busy", "cannot evacuate the root of all cgroups, which has threads of the kernel", hint);
	}
	if (pidsIn(directory)?.length === 0) return;
	const child = directory.make(name);
	try {
		await moveAll(directory, child);
	} catch (error) {
		directory.removeAgain(name);
		throw error;
	} finally {
		child.fd.close();
	}
}

/** Moves processes until none is left: they fork meanwhile. */
async function moveAll(from: Directory, to: Directory): Promise<void> {
	for (let rounds = 0; ; rounds++) {
		const pids = pidsIn(from) ?? [];
		if (pids.length === 0) return;
		const moved = pids.filter((pid) => pid > 0 && move(pid, to));
		if (moved.length > 0) rounds = 0;
		// A write of 0 would move this process.
		if (pids.every((pid) => pid === 0) || rounds > MOST_ROUNDS) throw busyError(from, pids);
		await setImmediate();
	}
}

/** Moves a process with all of its threads. Returns false if it has ended. */
function move(pid: number, to: Directory): boolean {
	try {
		to.write("cgroup.procs", `${pid}`);
		return true;
	} catch (error) {
		if (error instanceof SyscallError && error.code === "ESRCH") return false;
		throw error;
	}
}

function busyError({ path }: Directory, pids: readonly number[]): CgroupError {
	const hint = pids.includes(0)
		? "move the processes from their own pid namespace, or from one above: this process cannot name them"
		: "try again: the processes fork and end faster than they can be moved";
	return new CgroupError("busy", `cannot evacuate ${path}: processes are left in it: ${pids.join(", ")}`, hint, {
		pids,
	});
}
