import type { FailureData } from "../../native/binding.js";
import type { FileDescriptor } from "../files/descriptor.ts";
import { ChildProcess } from "../process/child.ts";
import { reachedLimit } from "../target/reached-limit.ts";
import type { AnyTask } from "../target/target.ts";
import { openInProc } from "./idmap.ts";

/**
 * Returns the failure of a clone, and says in words which limit on processes is reached.
 *
 * @param parent - The task that was to clone, whose limits count. `undefined`: the zygote, with the limits of this process.
 * @param cgroup - The cgroup in which the new task was to begin.
 */
export function withReachedLimit(
	failure: FailureData,
	parent: AnyTask | undefined,
	cgroup: FileDescriptor | undefined,
): FailureData {
	if (failure.code !== "EAGAIN" || failure.words) return failure;
	const target = cgroup && pathOf(cgroup);
	if (!(parent?.process instanceof ChildProcess)) return { ...failure, words: reachedLimit("/proc/self", target) };
	try {
		using folder = openInProc(parent.process);
		return { ...failure, words: reachedLimit(`/proc/self/fd/${folder.fd}`, target) };
	} catch {
		return { ...failure, words: reachedLimit("", target) }; // the parent has ended, or /proc does not show it
	}
}

function pathOf(folder: FileDescriptor): string | undefined {
	try {
		return process.getBuiltinModule("node:fs").readlinkSync(`/proc/self/fd/${folder.fd}`);
	} catch {
		return undefined; // the caller has closed the descriptor, or there is no /proc
	}
}
