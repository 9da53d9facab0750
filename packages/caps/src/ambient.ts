import { BatchError, type ProcessOption, type SyscallError } from "@nearfar/core";
import {
	options as checkOptions,
	currentBatch,
	native,
	onEveryThread,
	optionalBoolean,
	prctlOptions,
	securebits,
} from "@nearfar/core/internal";
import { CapabilitySet, type Caps } from "./capability-set.ts";
import { hintForSets } from "./capset.ts";
import { explained, named, toKernelBits } from "./kernel.ts";

const PR_CAP_AMBIENT_CLEAR_ALL = 4;

/**
 * The ambient set: what programs without file capabilities and without set-user-id bits keep through execve(2).
 *
 * An ambient capability is always permitted and inheritable, too. A change of all user ids away from 0 empties the set, also
 * with `setKeepCaps`, unless the securebit `noSetuidFixup` is set. A capability stays ambient when the bounding set loses it.
 *
 * @example A program of another user than 0 keeps one capability
 * ```ts
 * const user = (outside = 0) => [{ inside: 1000, outside, count: 1 }];
 * const idMap = { uids: user(process.getuid?.()), gids: user(process.getgid?.()) };
 * await using task = await Task.clone({ namespaces: ["user"], idMap });
 * task.run(() => ambient.raise(["netAdmin"], { inheritable: true }));
 * const child = task.exec("/bin/grep", ["grep", "CapEff", "/proc/self/status"]); // CapEff: 0000000000001000
 * await child.exited;
 * ```
 * @see capabilities(7), PR_CAP_AMBIENT(2const), Linux 4.3
 */
export const ambient: {
	/**
	 * Reads the ambient set of the current task, or, near, of the calling thread. `/proc` is not needed.
	 *
	 * @returns The set.
	 * @throws `ERR_NEARFAR_BATCH` The call is inside a batch, which has no value to return yet.
	 * @throws `ERR_NEARFAR_TASK_GONE` The current task has executed a program, exited or died.
	 * @example
	 * ```ts
	 * console.log(`${ambient.read()}`);
	 * ```
	 * @see PR_CAP_AMBIENT_IS_SET(2const), Linux 4.3; no privilege
	 */
	read(): CapabilitySet;

	/**
	 * Adds capabilities to the ambient set: all of them, or none.
	 *
	 * If the kernel refuses a capability, the task lowers those again that were not ambient before. With `inheritable` the
	 * function reads the sets first, which takes one more message to the task. In a batch nothing is undone.
	 *
	 * @param caps - The capabilities to add, by names, by numbers or as a set.
	 * @param options - `inheritable`: `true` makes the capabilities inheritable first. Default: `false`, and each of them has to be
	 * inheritable already. `process`: `true` lets the call change every thread of Node, or none, where it is made near.
	 * Default: `false`.
	 * @throws `EPERM` A capability is not permitted, or not inheritable; `error.hint` names it.
	 * @throws `EPERM` The securebit `noCapAmbientRaise` is set; `error.hint` says so.
	 * @throws `EPERM` With `inheritable`: the bounding set does not have a capability.
	 * @throws `ERR_NEARFAR_MULTITHREADED` Called near without `process`: the kernel would change one thread of many.
	 * @throws `ERR_NEARFAR_BATCH` The call is in a batch, with `inheritable`.
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
	 * task.run(() => ambient.raise(["netAdmin"], { inheritable: true }));
	 * ```
	 * @see PR_CAP_AMBIENT_RAISE(2const), Linux 4.3; no privilege but the capabilities themselves
	 */
	raise(caps: Caps, options?: ProcessOption & { inheritable?: boolean }): void;

	/**
	 * Takes capabilities out of the ambient set. Those that are not in the set are no error.
	 *
	 * @param caps - The capabilities to take out, by names, by numbers or as a set.
	 * @param options - `process`: `true` lets the call change every thread of Node, or none, where it is made near. Default: `false`.
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
	 * await using task = await Task.clone();
	 * task.run(() => ambient.lower(["netAdmin"]));
	 * ```
	 * @see PR_CAP_AMBIENT_LOWER(2const), Linux 4.3; no privilege
	 */
	lower(caps: Caps, options?: ProcessOption): void;

	/**
	 * Empties the ambient set.
	 *
	 * @param options - `process`: `true` lets the call change every thread of Node, or none, where it is made near. Default: `false`.
	 * @throws `ERR_NEARFAR_MULTITHREADED` Called near without `process`: the kernel would change one thread of many.
	 * @throws `ERR_NEARFAR_BATCH` The call is in a batch of this process, with `process`.
	 * @throws `ERR_NEARFAR_IO_URING` With `process`: Node has an io_uring, which would keep its credentials.
	 * @throws `ERR_NEARFAR_THREAD_SILENT` With `process`: a thread of Node did not answer.
	 * @throws `ERR_NEARFAR_THREADS_DIFFER` With `process`: a thread of Node has other credentials than the calling thread.
	 * @throws `ERR_NEARFAR_TASK_GONE` The current task has executed a program, exited or died.
	 * @throws `TypeError` An option is unknown or of the wrong type.
	 * @example
	 * ```ts
	 * await using task = await Task.clone();
	 * task.run(() => ambient.clear());
	 * ```
	 * @see PR_CAP_AMBIENT_CLEAR_ALL(2const), Linux 4.3; no privilege
	 */
	clear(options?: ProcessOption): void;
} = {
	read: () => CapabilitySet.from(native().ambientSet()),
	raise(caps, options) {
		const bits = toKernelBits(caps, "caps");
		const checked = checkOptions(options, ["process", "inheritable"]);
		const inheritable = optionalBoolean(checked.inheritable, "options.inheritable");
		onEveryThread(checked, "prctl", () => {
			if (inheritable) raiseAndInherit(bits);
			else
				explained(
					() => native().raiseAmbient(bits),
					() => hintForAmbient(bits),
				);
		});
	},
	lower(caps, options) {
		const bits = toKernelBits(caps, "caps");
		onEveryThread(checkOptions(options, ["process"]), "prctl", () => native().lowerAmbient(bits));
	},
	clear(options) {
		onEveryThread(checkOptions(options, ["process"]), "prctl", () => {
			native().setPrctl(prctlOptions.capAmbient, [PR_CAP_AMBIENT_CLEAR_ALL]);
		});
	},
};

function raiseAndInherit(bits: bigint): void {
	if (currentBatch()) {
		throw new BatchError(
			"ambient.raise with inheritable reads the sets first, and a batch cannot read: call capset with all three sets before it",
		);
	}
	const before = native().capget(0);
	const [effective = 0n, permitted = 0n, inheritable = 0n] = before;
	const during = [effective, permitted, inheritable | bits] as const;
	const hint = ({ syscall }: SyscallError) =>
		syscall === "capset" ? hintForSets(...during) : hintForAmbient(bits, during[2]);
	explained(() => native().raiseAmbient(bits, before, [...during]), hint);
}

/** Returns why the kernel refuses to make capabilities ambient. `given`: what was inheritable at that moment. */
export function hintForAmbient(bits: bigint, given?: bigint): string | undefined {
	const [, permitted = 0n, inheritable = 0n] = native().capget(0);
	const lacks = (set: bigint, name: string) => {
		const missing = bits & ~set;
		return missing === 0n ? [] : [`${named(missing)} is not ${name}`];
	};
	const reasons = [...lacks(permitted, "permitted"), ...lacks(given ?? inheritable, "inheritable")];
	const bit = Number(native().prctl(prctlOptions.getSecurebits, []).result) & securebits.noCapAmbientRaise;
	if (bit) reasons.push("the securebit noCapAmbientRaise is set");
	return reasons.length > 0 ? reasons.join(", and ") : undefined;
}
