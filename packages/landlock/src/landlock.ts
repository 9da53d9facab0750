import { BatchError, type FileDescriptor, openat2, SyscallError, statx } from "@nearfar/core";
import {
	options as checkOptions,
	currentBatch,
	landlockFsRights,
	native,
	numberOf,
	text,
	withFile,
} from "@nearfar/core/internal";
import { type CheckedPath, refuseOnFile } from "./check-rules.ts";
import { makePlan, type Plan } from "./plan.ts";
import { FILE_RIGHTS } from "./presets.ts";
import type { Enforced, LandlockLevel, LandlockOptions, LandlockRules } from "./rules.ts";
import { addPathRule, addPortRule, type LandlockRuleset, landlockCreateRuleset, onFile } from "./ruleset.ts";
import { type CheckedThreads, checkThreads, restrict } from "./threads.ts";

/**
 * Restricts the current task to rules about files, ports and scopes: a new layer over those that it has. It counts for the task, for the
 * programs that the task executes, and for all that they start. Needs no privilege, and no call takes it away.
 *
 * What is refused is decided by the *level*, a version of the ABI, and not by the kernel: a later kernel never refuses more. What the
 * kernel lacks is an error before any call, unless `drop` names it. The result says what holds.
 *
 * The calls are those of the three functions of Landlock, in this order: all rules and options are checked; the ruleset is made; each path
 * is opened with `O_PATH`, looked at, added and closed; the ports are added; `no_new_privs` is set; the task is restricted. If one of them
 * fails, nothing is restricted, but `no_new_privs` may be set.
 *
 * What a process has open already stays usable, and more is not covered: see the README. No CAP_SYS_ADMIN belongs inside of a domain:
 * mount_setattr(2) works there, and takes `ro` away from a mount. Make mounts before.
 *
 * @param rules - What is allowed. See {@link LandlockRules}.
 * @param options - The level, what may be dropped, flags, and which threads of Node are restricted near: see {@link LandlockOptions}.
 * Default: the level that the rules need, and refused near.
 * @returns What holds.
 * @throws `ENOENT` A path does not exist, and is not `optional`.
 * @throws `ENOTDIR` A component of a path is no directory, or what is there is none and `kind` is `"directory"`.
 * @throws `EACCES` A directory on the way to a path may not be searched.
 * @throws `EBADFD` A descriptor is a pipe, a socket, a memfd or a namespace, which have no path.
 * @throws `E2BIG` The task has 16 layers.
 * @throws `EMFILE` The task has reached its limit of descriptors.
 * @throws `ERR_NEARFAR_LANDLOCK_UNAVAILABLE` The kernel lacks a right, a scope or a flag; or near, with `process`, the ABI is below 8.
 * @throws `ERR_NEARFAR_MULTITHREADED` Called near without `process` or `thread`: the kernel would restrict one thread of many.
 * @throws `ERR_NEARFAR_BATCH` In a batch: a rule for a path has no `kind`, or is `optional`. In a batch of this process: `process`.
 * @throws `ERR_NEARFAR_THREAD_SILENT` With `process`: the process that clones tasks did not end.
 * @throws `ERR_NEARFAR_CLOSED` A descriptor is closed.
 * @throws `ERR_NEARFAR_FD_TABLE_MISMATCH` A descriptor belongs to another table than the current task's.
 * @throws `ERR_NEARFAR_TASK_GONE` The current task has executed a program, exited or died.
 * @throws `TypeError` A part of the rules or an option has a wrong type or value, or is unknown; a rule for a file names a right for
 * directories; or the level lacks a right that the rules name.
 * @throws `RangeError` A number is out of its range.
 * @example A task that reads the system, and writes one folder
 * ```ts
 * import { mkdtempSync } from "node:fs";
 *
 * const folder = mkdtempSync("/tmp/example-");
 * await using task = await Task.clone();
 * const enforced = task.run(() =>
 *   landlock({ paths: [{ at: "/usr", allow: ["run"] }, { at: folder, allow: ["write"] }] }, { drop: ["truncate"] }),
 * );
 * console.log(enforced.level, enforced.dropped); // 3 [], or on Linux 6.1: 3 [ 'truncate' ]
 * ```
 * @see landlock(7), Linux 5.13, with paths Linux 6.2 unless `drop` says otherwise; no privilege
 */
export function landlock(rules: LandlockRules, options?: LandlockOptions): Enforced {
	const checked = checkOptions(options, ["require", "drop", "flags", "process", "thread"]);
	const threads = checkThreads(checked);
	const plan = makePlan(rules, checked, "rules");
	if (currentBatch()) plan.rules.paths?.forEach(refuseInBatch);
	const { fs, net, scope } = plan.handled;
	if (fs | net | scope) enforce(plan, threads);
	return plan.enforced;
}

/**
 * Returns what {@link landlock} would enforce. Checks the rules and the options in the same way, throws the same errors about them, and
 * restricts nobody.
 *
 * @param rules - What is going to be allowed.
 * @param options - The level, what may be dropped, and flags: see {@link LandlockLevel}. `name`: what messages call the rules, by default
 * `rules`. Default: the level that the rules need.
 * @returns What would hold.
 * @throws `ERR_NEARFAR_LANDLOCK_UNAVAILABLE` The kernel lacks a right, a scope or a flag.
 * @throws `TypeError` A part of the rules or an option has a wrong type or value, or is unknown; or the level lacks a right that the rules name.
 * @throws `RangeError` A number is out of its range.
 * @example
 * ```ts
 * const { dropped } = planLandlock({ scope: ["signal"] }, { drop: "any" });
 * console.log(dropped.length === 0 ? "signals stay inside" : "before Linux 6.12 signals go everywhere");
 * ```
 * @see landlock(7), Linux 5.13; no privilege
 */
export function planLandlock(rules: LandlockRules, options?: LandlockLevel & { name?: string }): Enforced {
	const checked = checkOptions(options, ["require", "drop", "flags", "name"]);
	return makePlan(rules, checked, text(checked.name ?? "rules", "options.name")).enforced;
}

function refuseInBatch({ kind, optional, place }: CheckedPath): void {
	if (kind === undefined) {
		throw new BatchError(`cannot look in a batch what ${place} is: say "file" or "directory" with ${place}.kind`);
	}
	if (optional) {
		throw new BatchError(
			`${place}.optional is refused in a batch, whose calls all have to succeed: leave the rule out`,
		);
	}
}

function enforce({ rules, handled, flags, refersEverywhere }: Plan, threads: CheckedThreads): void {
	const { fs, net, scope } = handled;
	const ruleset = landlockCreateRuleset({ fs: BigInt(fs), net: BigInt(net), scoped: BigInt(scope) });
	try {
		for (const path of rules.paths ?? []) allowPath(ruleset, path, fs);
		if (refersEverywhere) allowPath(ruleset, everywhere, fs);
		for (const { port, allowed } of rules.ports ?? []) {
			if (allowed & net) addPortRule(ruleset, port, BigInt(allowed & net));
		}
		native().setNoNewPrivsOfThisThread();
		restrict(numberOf(ruleset), flags, threads);
	} finally {
		ruleset.close();
	}
}

const everywhere: CheckedPath = {
	at: "/",
	path: "/",
	place: "/",
	named: landlockFsRights.refer,
	preset: 0,
	optional: false,
	kind: "directory",
};

/** Adds the rule for a file or directory. */
function allowPath(ruleset: LandlockRuleset, path: CheckedPath, handled: number): void {
	const open = () => openFor(path);
	onFile(path.at, open, (file) => {
		const allowed = rightsFor(path, file) & handled;
		// Rights that the kernel lacks are free already.
		if (allowed) named(path, () => addPathRule(ruleset, file, BigInt(allowed)));
	});
}

/** Opens the file of a rule. `undefined`: the file does not exist and is optional. */
function openFor({ at, kind, optional }: CheckedPath): FileDescriptor | undefined {
	try {
		return openat2(at, { flags: kind === "directory" ? ["path", "directory"] : ["path"] });
	} catch (error) {
		if (optional && error instanceof SyscallError && error.code === "ENOENT") return undefined;
		throw error;
	}
}

function rightsFor(path: CheckedPath, file: FileDescriptor): number {
	const { named, preset, place } = path;
	const kind = path.kind ?? (statx(file, { mask: ["type"] }).type === "directory" ? "directory" : "file");
	if (kind === "directory") return named | preset;
	refuseOnFile(named, place);
	return named | (preset & FILE_RIGHTS);
}

/** Runs `fn`, whose error names the path of a rule. */
function named({ path }: CheckedPath, fn: () => void): void {
	if (path === undefined || currentBatch()) fn();
	else withFile(path, fn);
}
