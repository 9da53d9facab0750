import { NearfarError, type ProcessOption, type SyscallError } from "@nearfar/core";
import {
	options as checkOptions,
	currentBatch,
	currentTask,
	native,
	onEveryThread,
	optionalBoolean,
	setpcap,
} from "@nearfar/core/internal";
import { hintForAmbient } from "./ambient.ts";
import { hintForBounding } from "./bounding.ts";
import { CapabilitySet, type Caps, toCapabilityBits } from "./capability-set.ts";
import { hintForSets } from "./capset.ts";
import { explained, filtered, isRefusal, named } from "./kernel.ts";

const setNames = ["effective", "permitted", "inheritable", "bounding", "ambient"] as const;

/** What remains after {@link dropCapabilities}. */
interface Rest {
	/** What leaves the bounding set. */
	drop: bigint;
	/** What is effective and permitted. */
	keep: bigint;
	/** True when `keep` is also inheritable and ambient. */
	ambient: boolean;
	noNewPrivs: boolean;
}

/**
 * Gives up, for good, every capability of a task that is not in `keep`, and checks that it is gone.
 *
 * The task makes CAP_SETPCAP effective where it is permitted alone, and drops the bounding set, which needs CAP_SETPCAP. Then it
 * clears the ambient set, reduces the effective and the permitted set to what of `keep` was permitted, and empties the
 * inheritable set. Finally it reads all sets back. All of this is one message to the task. If the kernel refuses the message,
 * the function reads the sets and sends another one that fits them. If the bounding set has nothing to lose any more, no
 * privilege is needed.
 *
 * A program of user 0 gets back what is in the bounding set, which is `keep`, unless the securebit `noRoot` is set.
 * Set-user-id programs are another way up: pass `noNewPrivs`. Securebits stay as they are.
 *
 * A batch cannot read: there CAP_SETPCAP has to be effective, all of `keep` has to be permitted, and nothing is checked
 * afterwards.
 *
 * @param keep - The capabilities to keep: what `CapabilitySet.from` takes. Default: none.
 * @param options - `ambient`: `true` makes what is kept inheritable and ambient, so that programs of users other than 0 have it.
 * Default: `false`. `noNewPrivs`: `true` sets the attribute `no_new_privs`, too. Default: `false`. `process`: `true` lets the
 * call change every thread of Node, or none, where it is made near. Default: `false`.
 * @throws `EPERM` The bounding set has something to lose, and CAP_SETPCAP is not permitted. Nothing was changed.
 * @throws `EPERM` With `ambient`: the bounding set has lost a capability that is permitted and kept, or the securebit
 * `noCapAmbientRaise` is set. A task has fewer capabilities by then: throw it away.
 * @throws `EPERM` In a batch: CAP_SETPCAP is not effective, or `keep` names a capability that is not permitted.
 * @throws `ERR_NEARFAR_CAPABILITIES_LEFT` The kernel accepted every call, and a capability is still there, which the message
 * names with its set. Throw the task away.
 * @throws `ERR_NEARFAR_MULTITHREADED` Called near without `process`: the kernel would change one thread of many. Nothing
 * was dropped.
 * @throws `ERR_NEARFAR_BATCH` The call is in a batch of this process, with `process`.
 * @throws `ERR_NEARFAR_IO_URING` With `process`: Node has an io_uring, which would keep its credentials.
 * @throws `ERR_NEARFAR_THREAD_SILENT` With `process`: a thread of Node did not answer.
 * @throws `ERR_NEARFAR_THREADS_DIFFER` With `process`: a thread of Node has other credentials than the calling thread.
 * @throws `ERR_NEARFAR_TASK_GONE` The current task has executed a program, exited or died.
 * @throws `TypeError` `keep` is neither an iterable nor a bigint, a name is no capability, or an option is unknown or of the
 * wrong type.
 * @throws `RangeError` A number in `keep` is not one from 0 to 63, or the bigint is not from 0 to 2^64-1.
 * @example A program of user 0 without privileges
 * ```ts
 * await using task = await Task.clone({ namespaces: ["user"], idMap: "root" });
 * task.run(() => dropCapabilities([], { noNewPrivs: true }));
 * const child = task.exec("/bin/grep", ["grep", "CapEff", "/proc/self/status"]); // CapEff: 0000000000000000
 * await child.exited;
 * ```
 * @see capabilities(7), capset(2), PR_CAPBSET_DROP(2const), PR_CAP_AMBIENT(2const), Linux 4.3; CAP_SETPCAP
 */
export function dropCapabilities(
	keep: Caps = [],
	options?: ProcessOption & { ambient?: boolean; noNewPrivs?: boolean },
): void {
	const all = CapabilitySet.all().bits;
	const kept = toCapabilityBits(keep, "keep") & all;
	const checked = checkOptions(options, ["process", "ambient", "noNewPrivs"]);
	const ambient = optionalBoolean(checked.ambient, "options.ambient") ?? false;
	const noNewPrivs = optionalBoolean(checked.noNewPrivs, "options.noNewPrivs") ?? false;
	const rest = { drop: all & ~kept, keep: kept, ambient, noNewPrivs };
	onEveryThread(checked, "capset", () => {
		if (currentBatch()) send(rest, false);
		else drop(rest);
	});
}

/** Drops as if the task had all of its sets, and drops again if the task turns out to have less. */
function drop(rest: Rest): void {
	let sets: bigint[];
	try {
		sets = send(rest, true);
	} catch (error) {
		if (!isRefusal(error)) throw error;
		dropFrom(native().capabilitySets(), rest);
		return;
	}
	check(sets, rest, rest.keep);
}

/** Drops from the sets that the task has. */
function dropFrom(before: readonly bigint[], { drop, keep, ...options }: Rest): void {
	const [effective = 0n, permitted = 0n, inheritable = 0n, bounding = 0n] = before;
	const rest = { drop: drop & bounding, keep: keep & permitted, ...options };
	const raises = rest.drop !== 0n && (permitted & ~effective & setpcap) !== 0n;
	const first = raises ? [effective | setpcap, permitted, inheritable] : undefined;
	const sets = explained(
		() => send(rest, true, first),
		(refusal) => {
			const hint = hintFor(refusal, rest, raises);
			// The task has changed nothing but that CAP_SETPCAP is effective. In this process no thread has changed.
			const unchanged = refusal.syscall === "prctl" && native().boundingSet() === bounding;
			if (raises && unchanged && !currentTask().isNear) native().capset(0, [effective, permitted, inheritable]);
			return hint;
		},
	);
	check(sets, rest, keep);
}

function send({ drop, keep, ambient, noNewPrivs }: Rest, readBack: boolean, first?: bigint[]): bigint[] {
	return native().reduceCapabilities(first, drop, keep, ambient, noNewPrivs, readBack);
}

/**
 * Returns why the kernel refuses to reduce the sets. Reads the present sets: a task has made the calls before the refused one, and
 * in this process no thread has made any. `raises`: the first of the calls makes CAP_SETPCAP effective.
 */
function hintFor({ syscall }: SyscallError, { drop, keep, ambient }: Rest, raises: boolean): string | undefined {
	if (syscall === "capset") return hintForSets(keep, keep, ambient ? keep : 0n);
	const [effective = 0n, , , bounding = 0n] = native().capabilitySets();
	const mayDrop = raises || (effective & setpcap) !== 0n;
	if (bounding & drop && !(mayDrop && currentTask().isNear)) return hintForBounding();
	return (ambient ? hintForAmbient(keep, keep) : undefined) ?? filtered;
}

/** Throws if a set has more than it shall have. `bounding` is what the bounding set may have. */
function check(sets: readonly bigint[], { keep, ambient, noNewPrivs }: Rest, bounding: bigint): void {
	const inherited = ambient ? keep : 0n;
	const allowed = [keep, keep, inherited, bounding, inherited];
	for (const [index, name] of setNames.entries()) {
		const left = (sets[index] ?? 0n) & ~(allowed[index] ?? 0n);
		if (left !== 0n) throw leftError(`${currentTask()} still has ${named(left)} in the ${name} set`);
	}
	if (noNewPrivs && sets[setNames.length] !== 1n) throw leftError(`${currentTask()} does not have no_new_privs`);
}

function leftError(message: string): NearfarError {
	return new NearfarError("CAPABILITIES_LEFT", message);
}
