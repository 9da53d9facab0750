import {
	options as checkOptions,
	type LandlockRestrictBit,
	landlockRestrictFlags,
	numberOf,
	wrongValue,
} from "@nearfar/core/internal";
import { type Names, toMask } from "./names.ts";
import { checkRuleset, type LandlockRuleset } from "./ruleset.ts";
import { checkThreads, type LandlockThreads, restrict } from "./threads.ts";

const NO_RULESET = -1;

/**
 * A flag of landlock_restrict_self(2). The option `process` stands for `tsync`.
 *
 * - `logSameExecOff`: what is refused before the next execve(2) is not logged. Since ABI 7, Linux 6.15.
 * - `logNewExecOn`: what is refused after the next execve(2) is logged. Since ABI 7, Linux 6.15.
 * - `logSubdomainsOff`: what domains below this one refuse is not logged. Since ABI 7, Linux 6.15.
 * - `noNewPrivs`: the call sets no_new_privs as well. Since ABI 11, Linux 7.3.
 */
export type LandlockRestrictFlag = Exclude<LandlockRestrictBit, "tsync">;

/** Options of {@link landlockRestrictSelf}. */
export interface RestrictOptions extends LandlockThreads {
	/** Flags by name, or a bigint from 0 to 2^32-1 that reaches the kernel as it is, where bit 3 (tsync) needs `process: true`. Default: none. */
	flags?: Names<LandlockRestrictFlag>;
}

/**
 * Restricts the current task to a ruleset: a new layer over those that it has. It counts for the task, for the programs that the task
 * executes, and for all that they start. No call takes a layer away, and there are at most 16.
 *
 * @param ruleset - A ruleset of the current task. `null`: no new layer, for flags alone (`logSubdomainsOff`).
 * @param options - `flags`: see {@link LandlockRestrictFlag}. `process` and `thread`: which threads of Node are restricted near; see
 * {@link LandlockThreads}. Default: no flags, and refused near.
 * @throws `EPERM` The task has neither the attribute `no_new_privs` nor CAP_SYS_ADMIN over its user namespace.
 * @throws `E2BIG` The task has 16 layers.
 * @throws `EINVAL` The kernel does not know a flag.
 * @throws `EBADFD` The descriptor is no ruleset.
 * @throws `ERR_NEARFAR_MULTITHREADED` Called near without `process` or `thread`: the kernel would restrict one thread of many.
 * @throws `ERR_NEARFAR_LANDLOCK_UNAVAILABLE` With `process` near: the ABI is below 8.
 * @throws `ERR_NEARFAR_BATCH` The call is in a batch of this process, with `process`.
 * @throws `ERR_NEARFAR_THREAD_SILENT` With `process`: the process that clones tasks did not end.
 * @throws `ERR_NEARFAR_CLOSED` The ruleset is closed.
 * @throws `ERR_NEARFAR_FD_TABLE_MISMATCH` The ruleset belongs to another table than the current task's.
 * @throws `ERR_NEARFAR_TASK_GONE` The current task has executed a program, exited or died.
 * @throws `TypeError` An argument has the wrong type, or a name is none.
 * @throws `RangeError` A number is out of its range.
 * @example
 * ```ts
 * await using task = await Task.clone();
 * task.run(() => {
 *   using ruleset = landlockCreateRuleset({ fs: ["writeFile"] });
 *   setNoNewPrivs();
 *   landlockRestrictSelf(ruleset); // no file can be opened for writing any more
 * });
 * ```
 * @see landlock_restrict_self(2), Linux 5.13; no_new_privs or CAP_SYS_ADMIN
 */
export function landlockRestrictSelf(ruleset: LandlockRuleset | null, options?: RestrictOptions): void {
	const checked = checkOptions(options, ["flags", "process", "thread"]);
	const flags = Number(toMask(restrictFlags, checked.flags, "options.flags", 32));
	if (ruleset !== null) checkRuleset(ruleset);
	const threads = checkThreads(checked);
	if (!threads.process && flags & landlockRestrictFlags.tsync) {
		throw wrongValue("options.flags", "without the bit of tsync, unless options.process is true", checked.flags);
	}
	restrict(ruleset === null ? NO_RULESET : numberOf(ruleset), flags, threads);
}

const { tsync: _, ...withoutTsync } = landlockRestrictFlags;

/** The flags that a caller may name. */
export const restrictFlags: Readonly<Record<LandlockRestrictFlag, number>> = withoutTsync;
