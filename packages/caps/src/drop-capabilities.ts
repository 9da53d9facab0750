import { NearfarError, SyscallError } from "@nearfar/core";
import { currentBatch, currentTask, native } from "@nearfar/core/internal";
import { CapabilitySet, type Caps, toCapabilityBits } from "./capability-set.ts";

const setNames = ["effective", "permitted", "inheritable and the ambient", "bounding"] as const;

/**
 * Gives up, for good, every capability of a task that is not in `keep`, and checks that it is gone.
 *
 * The task drops the bounding set first, since that needs CAP_SETPCAP. Then it clears the ambient set, reduces the
 * effective and the permitted set to what of `keep` was permitted, and empties the inheritable set. Finally it reads
 * all sets back. All of this is one message to the task. If the bounding set has nothing to lose any more, no
 * privilege is needed.
 *
 * A batch cannot read: there CAP_SETPCAP is always needed, all of `keep` has to be permitted, and nothing is checked
 * afterwards.
 *
 * @param keep - The capabilities to keep: what `CapabilitySet.from` takes. Default: none.
 * @throws `EPERM` CAP_SETPCAP is not effective. Nothing was dropped.
 * @throws `EPERM` In a batch: `keep` names a capability that is not permitted.
 * @throws `ERR_NEARFAR_CAPABILITIES_LEFT` The kernel accepted every call, and a capability is still there.
 * @throws `ERR_NEARFAR_MULTITHREADED` The call is made in Node: the kernel would change one thread of many. Nothing
 * was dropped.
 * @throws `ERR_NEARFAR_TASK_GONE` The current task has executed a program, exited or died.
 * @throws `TypeError` `keep` is neither an iterable nor a bigint, or a name is no capability.
 * @throws `RangeError` A number in `keep` is not one from 0 to 63.
 * @example A program of user 0 without privileges
 * ```ts
 * await using task = await Task.clone({ namespaces: ["user"], idMap: "root" });
 * task.run(() => dropCapabilities());
 * const child = task.exec("/bin/grep", ["grep", "CapEff", "/proc/self/status"]); // CapEff: 0000000000000000
 * await child.exited;
 * ```
 * @see capabilities(7), capset(2), PR_CAPBSET_DROP(2const), PR_CAP_AMBIENT(2const), Linux 4.3; CAP_SETPCAP
 */
export function dropCapabilities(keep: Caps = []): void {
	const kept = toCapabilityBits(keep, "keep");
	const all = (1n << BigInt(native().lastCapability() + 1)) - 1n;
	if (currentBatch()) native().reduceCapabilities(all & ~kept, kept, false);
	else check(reduce(all & ~kept, kept), kept);
}

function reduce(drop: bigint, keep: bigint): bigint[] {
	try {
		return native().reduceCapabilities(drop, keep, true);
	} catch (error) {
		if (!(error instanceof SyscallError && error.code === "EPERM")) throw error;
		// Capabilities that were given up earlier can neither be kept nor need to be dropped: leave them out and try again.
		const [, permitted = 0n, , bounding = 0n] = native().capabilitySets();
		return native().reduceCapabilities(bounding & drop, keep & permitted, true);
	}
}

function check(sets: bigint[], kept: bigint): void {
	const allowed = [kept, kept, 0n, kept];
	for (const [index, set] of sets.entries()) {
		const left = CapabilitySet.from(set & ~(allowed[index] ?? 0n));
		if (left.bits === 0n) continue;
		throw new NearfarError("CAPABILITIES_LEFT", `${currentTask()} still has ${left} in the ${setNames[index]} set`);
	}
}
