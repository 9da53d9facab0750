import { pid as checkPid, native } from "@nearfar/core/internal";
import { CapabilitySet } from "./capability-set.ts";

/** The three sets that capget(2) knows. */
export interface Capabilities {
	/** What the kernel checks. */
	effective: CapabilitySet;
	/** What may become effective. */
	permitted: CapabilitySet;
	/** What execve(2) may keep, where the file agrees. */
	inheritable: CapabilitySet;
}

/**
 * Reads the capabilities of a process.
 *
 * @param pid - 1 or more, or 0 (default): the current task; in this process, the thread that asks.
 * @throws `ESRCH` nobody has the pid · `BatchError` in a batch · `TaskGoneError`
 * @example
 * ```ts
 * await using task = await Task.clone({ namespaces: ["user"] });
 * console.log(task.run(capget).effective.has("sysAdmin")); // true: over what its user namespace owns
 * ```
 * @see capget(2), Linux 2.2; no privilege
 */
export function capget(pid = 0): Capabilities {
	const [effective = 0n, permitted = 0n, inheritable = 0n] = native().capget(checkPid(pid, "pid", 0));
	return {
		effective: CapabilitySet.from(effective),
		permitted: CapabilitySet.from(permitted),
		inheritable: CapabilitySet.from(inheritable),
	};
}
