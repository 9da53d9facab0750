import { BatchError, type ProcessOption } from "@nearfar/core";
import {
	options as checkOptions,
	currentBatch,
	integer,
	native,
	onEveryThread,
	setpcap,
	wrongType,
} from "@nearfar/core/internal";
import { CapabilitySet, type Caps, toCapabilityBits } from "./capability-set.ts";
import { explained, named } from "./kernel.ts";

/**
 * Sets the effective, permitted and inheritable capabilities of the current task. A set that is left out stays as it is.
 *
 * For a set that is left out the function first reads the sets, which takes one more message to the task. A batch cannot
 * read, and needs all three sets. The kernel ignores the bits above its last capability: {@link capget} shows what is set.
 * A capability that leaves the permitted or the inheritable set leaves the ambient set too.
 *
 * @param sets - The new sets, each by names, by numbers or as a set. `effective` has to be a part of `permitted`: give both
 * to take a single capability away.
 * @param options - `pid`: the kernel takes 0 and the pid of the current task. Default: 0. `process`: `true` lets the call
 * change every thread of Node, or none, where it is made near; leave `pid` out then. Default: `false`.
 * @throws `EPERM` `effective` has a capability that is not in the permitted set; `error.hint` names it.
 * @throws `EPERM` `permitted` has a capability that was not permitted before.
 * @throws `EPERM` `inheritable` has a capability that was neither inheritable nor permitted before, and the task has no
 * CAP_SETPCAP.
 * @throws `EPERM` `inheritable` has a capability that was neither inheritable before nor is in the bounding set.
 * @throws `EPERM` `pid` is neither 0 nor the pid of the current task.
 * @throws `ERR_NEARFAR_MULTITHREADED` Called near without `process`: the kernel would change one thread of many.
 * @throws `ERR_NEARFAR_BATCH` The call is in a batch, and a set is left out.
 * @throws `ERR_NEARFAR_BATCH` The call is in a batch of this process, with `process`.
 * @throws `ERR_NEARFAR_IO_URING` With `process`: Node has an io_uring, which would keep its credentials.
 * @throws `ERR_NEARFAR_THREAD_SILENT` With `process`: a thread of Node did not answer.
 * @throws `ERR_NEARFAR_THREADS_DIFFER` With `process`: a thread of Node has other credentials than the calling thread.
 * @throws `ERR_NEARFAR_TASK_GONE` The current task has executed a program, exited or died.
 * @throws `TypeError` `sets` is no object; a set is neither iterable nor a bigint; a name is no capability; or an option is
 * unknown or of the wrong type.
 * @throws `RangeError` A number of a capability is not a whole number from 0 to 63, a bigint is not from 0 to 2^64-1, or `pid`
 * is not an integer of 32 bits.
 * @example One capability less
 * ```ts
 * await using task = await Task.clone({ namespaces: ["user"], idMap: "root" });
 * task.run(() => {
 *   const rest = CapabilitySet.from(capget().permitted.bits & ~CapabilitySet.from(["sysAdmin"]).bits);
 *   capset({ effective: rest, permitted: rest });
 *   console.log(capget().effective.has("sysAdmin")); // false
 * });
 * ```
 * @see capset(2), Linux 2.2; CAP_SETPCAP to make inheritable what is not permitted
 */
export function capset(
	sets: { effective?: Caps; permitted?: Caps; inheritable?: Caps },
	options?: ProcessOption & { pid?: number },
): void {
	if (sets === undefined) throw wrongType("sets", "an object", sets);
	const given = checkOptions(sets, ["effective", "permitted", "inheritable"], "sets");
	const effective = bitsOrNothing(given.effective, "sets.effective");
	const permitted = bitsOrNothing(given.permitted, "sets.permitted");
	const inheritable = bitsOrNothing(given.inheritable, "sets.inheritable");
	const checked = checkOptions(options, ["process", "pid"]);
	const pid = integer(checked.pid ?? 0, "options.pid", -(2 ** 31), 2 ** 31 - 1);
	onEveryThread(checked, "capset", () => {
		const complete = effective !== undefined && permitted !== undefined && inheritable !== undefined;
		if (!complete && currentBatch()) {
			throw new BatchError(
				"capset without effective, permitted or inheritable reads this set first, and a batch cannot read: give all three",
			);
		}
		const [nowEffective = 0n, nowPermitted = 0n, nowInheritable = 0n] = complete ? [] : native().capget(0);
		const wanted = [effective ?? nowEffective, permitted ?? nowPermitted, inheritable ?? nowInheritable] as const;
		explained(
			() => native().capset(pid, [...wanted]),
			() => hintForSets(...wanted, pid),
		);
	});
}

function bitsOrNothing(source: Caps | undefined, parameter: string): bigint | undefined {
	return source === undefined ? undefined : toCapabilityBits(source, parameter);
}

/** Returns why the kernel refuses these sets. Reads the present sets of the current task. */
export function hintForSets(effective: bigint, permitted: bigint, inheritable: bigint, pid = 0): string | undefined {
	const sets = native().capabilitySets();
	const [nowEffective = 0n, nowPermitted = 0n, nowInheritable = 0n, bounding = 0n] = sets;
	const kernel = (bits: bigint) => bits & CapabilitySet.all().bits;
	const regained = kernel(permitted & ~nowPermitted);
	if (regained) return `${named(regained)} cannot become permitted: nothing that is not permitted now ever can`;
	const above = kernel(effective & ~permitted);
	if (above) return `${named(above)} would be effective and not permitted: give both sets`;
	const unbounded = kernel(inheritable & ~(nowInheritable | bounding));
	if (unbounded) return `${named(unbounded)} cannot become inheritable, because the bounding set does not have it`;
	const gained = kernel(inheritable & ~(nowInheritable | nowPermitted));
	if (gained && !(nowEffective & setpcap)) {
		return `${named(gained)} is not permitted, and cannot become inheritable without CAP_SETPCAP in the effective set`;
	}
	return pid === 0 ? undefined : "capset(2) changes its caller alone: pid is 0, or the caller's own pid";
}
