import { pid as checkPid, native } from "@nearfar/core/internal";
import { CapabilitySet } from "./capability-set.ts";

/** The addon writes the three sets here. An array of new numbers would take longer to make than the kernel takes to answer. */
const words = new BigUint64Array(3);

/** The three sets that capget(2) returns. */
export interface Capabilities {
	/** The capabilities that the kernel checks. */
	effective: CapabilitySet;
	/** The capabilities that the process may make effective. */
	permitted: CapabilitySet;
	/** The capabilities that a program keeps through execve(2) if its file allows it. */
	inheritable: CapabilitySet;
}

/**
 * Reads the capabilities of a process.
 *
 * @param pid - 1 or more, as the pid namespace of the current task counts; 0 for the current task, near for the
 * calling thread. Default: 0.
 * @returns The effective, permitted and inheritable set.
 * @throws `ESRCH` No process has the pid.
 * @throws `ERR_NEARFAR_BATCH` The call is inside a batch, which has no value to return yet.
 * @throws `ERR_NEARFAR_TASK_GONE` The current task has executed a program, exited or died.
 * @throws `TypeError` `pid` is not a number.
 * @throws `RangeError` `pid` is not an integer from 0 to 2147483647.
 * @example
 * ```ts
 * await using task = await Task.clone({ namespaces: ["user"] });
 * console.log(task.run(capget).effective.has("sysAdmin")); // true: over what its user namespace owns
 * ```
 * @see capget(2), Linux 2.2; no privilege
 */
export function capget(pid = 0): Capabilities {
	native().capgetInto(checkPid(pid, "pid", 0), words);
	return {
		effective: CapabilitySet.from(words[0] ?? 0n),
		permitted: CapabilitySet.from(words[1] ?? 0n),
		inheritable: CapabilitySet.from(words[2] ?? 0n),
	};
}
