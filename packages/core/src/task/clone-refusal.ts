import type { FailureData } from "../../native/binding.js";
import { capabilities } from "../addon/flags.generated.ts";
import type { FileDescriptor } from "../files/descriptor.ts";
import { effectiveOf } from "../obstacles/look.ts";
import { hasCapability } from "../process/capability-bits.ts";
import { ChildProcess } from "../process/child.ts";
import { quietly } from "../target/explained.ts";
import { reachedLimit } from "../target/reached-limit.ts";
import { type AnyTask, nearTask } from "../target/target.ts";
import type { CloneOptions } from "./clone-options.ts";
import { openInProc } from "./map-target.ts";

/**
 * Returns the failure of a clone, and says in words which limit on processes is reached, or which privilege is missing.
 *
 * @param parent - The task that was to clone, whose limits count. `undefined`: the zygote, with the limits of this process.
 * @param cgroup - The cgroup in which the new task was to begin. Default: that of the task that was to clone.
 */
export function explainRefusal(
	failure: FailureData,
	parent: AnyTask | undefined,
	{ namespaces = [] }: CloneOptions,
	cgroup: FileDescriptor | undefined,
): FailureData {
	if (failure.words) return failure;
	if (failure.code === "EPERM" && namespaces.length > 0 && !namespaces.includes("user") && lacksPrivilege(parent)) {
		const words = `operation not permitted: namespaces without "user" need CAP_SYS_ADMIN (${namespaces.join(", ")})`;
		return { ...failure, words };
	}
	if (failure.code !== "EAGAIN") return failure;
	const target = cgroup && pathOf(cgroup);
	if (!(parent?.process instanceof ChildProcess)) return { ...failure, words: reachedLimit("/proc/self", target) };
	try {
		using folder = openInProc(parent.process);
		return { ...failure, words: reachedLimit(`/proc/self/fd/${folder.fd}`, target) };
	} catch {
		return { ...failure, words: reachedLimit("", target) }; // the parent has ended, or /proc does not show it
	}
}

/** Returns false if the task that was to clone has CAP_SYS_ADMIN, and true if that cannot be found out: it is the usual reason. */
function lacksPrivilege(parent: AnyTask | undefined): boolean {
	const found = quietly(() => effectiveOf(parent ?? nearTask()));
	return !found || !hasCapability(found.effective, capabilities.sysAdmin);
}

function pathOf(folder: FileDescriptor): string | undefined {
	try {
		return process.getBuiltinModule("node:fs").readlinkSync(`/proc/self/fd/${folder.fd}`);
	} catch {
		return undefined; // the caller has closed the descriptor, or there is no /proc
	}
}
