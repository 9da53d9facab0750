import type { ProcessOption } from "@nearfar/core";
import { options as checkOptions, currentBatch, native, onEveryThread, setpcap } from "@nearfar/core/internal";
import { CapabilitySet, type Caps } from "./capability-set.ts";
import { explained, filtered, isRefusal, toKernelBits } from "./kernel.ts";

/**
 * The bounding set: what execve(2) can give, and what can become inheritable. Nothing is ever added to it.
 *
 * @example
 * ```ts
 * await using task = await Task.clone({ namespaces: ["user"], idMap: "root" });
 * task.run(() => {
 *   bounding.drop(["sysAdmin"]);
 *   console.log(bounding.read().has("sysAdmin")); // false
 * });
 * ```
 * @see capabilities(7), PR_CAPBSET_READ(2const), PR_CAPBSET_DROP(2const), Linux 2.6.25
 */
export const bounding: {
	/**
	 * Reads the bounding set of the current task, or, near, of the calling thread. `/proc` is not needed.
	 *
	 * @returns The set.
	 * @throws `ERR_NEARFAR_BATCH` The call is inside a batch, which has no value to return yet.
	 * @throws `ERR_NEARFAR_TASK_GONE` The current task has executed a program, exited or died.
	 * @example
	 * ```ts
	 * console.log(bounding.read().has("kill"));
	 * ```
	 * @see PR_CAPBSET_READ(2const), Linux 2.6.25; no privilege
	 */
	read(): CapabilitySet;

	/**
	 * Takes capabilities out of the bounding set, for good. What the task has in its other sets stays there.
	 *
	 * The kernel refuses all of them or none. Without CAP_SETPCAP the function leaves those out that the bounding set has lost
	 * already. A batch cannot read the set: there CAP_SETPCAP is always needed.
	 *
	 * @param caps - The capabilities to drop, by names, by numbers or as a set.
	 * @param options - `process`: `true` lets the call change every thread of Node, or none, where it is made near. Default: `false`.
	 * @throws `EPERM` CAP_SETPCAP is not effective. Nothing was dropped.
	 * @throws `ERR_NEARFAR_MULTITHREADED` Called near without `process`: the kernel would change one thread of many.
	 * @throws `ERR_NEARFAR_BATCH` The call is in a batch of this process, with `process`.
	 * @throws `ERR_NEARFAR_IO_URING` With `process`: Node has an io_uring, which would keep its credentials.
	 * @throws `ERR_NEARFAR_THREAD_SILENT` With `process`: a thread of Node did not answer.
	 * @throws `ERR_NEARFAR_THREADS_DIFFER` With `process`: a thread of Node has other credentials than the calling thread.
	 * @throws `ERR_NEARFAR_TASK_GONE` The current task has executed a program, exited or died.
	 * @throws `TypeError` `caps` is neither iterable nor a bigint, a name is no capability, or an option is unknown or of the wrong type.
	 * @throws `RangeError` The kernel does not have one of the capabilities.
	 * @example
	 * ```ts
	 * await using task = await Task.clone({ namespaces: ["user"], idMap: "root" });
	 * task.run(() => bounding.drop(["sysAdmin", "netAdmin"]));
	 * ```
	 * @see PR_CAPBSET_DROP(2const), Linux 2.6.25; CAP_SETPCAP
	 */
	drop(caps: Caps, options?: ProcessOption): void;
} = {
	read: () => CapabilitySet.from(native().boundingSet()),
	drop(caps, options) {
		const bits = toKernelBits(caps, "caps");
		const checked = checkOptions(options, ["process"]);
		onEveryThread(checked, "prctl", () => {
			if (currentBatch()) native().dropBounding(bits);
			else explained(() => drop(bits), hintForBounding);
		});
	},
};

function drop(bits: bigint): void {
	try {
		native().dropBounding(bits);
	} catch (error) {
		if (!isRefusal(error)) throw error;
		// Without CAP_SETPCAP the kernel refuses to drop what is not in the set any more, too.
		const present = native().boundingSet() & bits;
		if (present === bits) throw error;
		native().dropBounding(present);
	}
}

/** Returns why the kernel refuses to take a capability out of the bounding set. */
export function hintForBounding(): string {
	const [effective = 0n, permitted = 0n] = native().capget(0);
	if (effective & setpcap) return `CAP_SETPCAP is effective: ${filtered}`;
	return permitted & setpcap
		? "CAP_SETPCAP is permitted and not effective: capset makes it effective"
		: "CAP_SETPCAP is missing: it is neither effective nor permitted";
}
