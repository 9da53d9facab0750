import { FileDescriptor, Location, type LocationLike, openat2 } from "@nearfar/core";
import {
	adoptDescriptor,
	options as checkOptions,
	integer,
	type LandlockFsRight,
	type LandlockNetRight,
	type LandlockScope,
	landlockFsRights,
	landlockNetRights,
	landlockScopes,
	native,
	numberOf,
	wrongType,
} from "@nearfar/core/internal";
import { type Names, toMask } from "./names.ts";

/**
 * A ruleset of Landlock, by its descriptor: the rights that it refuses, and rules that allow some of them.
 *
 * @example
 * ```ts
 * await using task = await Task.clone();
 * using ruleset = task.run(() => landlockCreateRuleset({ fs: ["writeFile"] }));
 * console.log(ruleset instanceof FileDescriptor, ruleset.closeOnExec); // true true
 * ```
 */
export class LandlockRuleset extends FileDescriptor {}

/** What a ruleset refuses where no rule allows it. */
export interface LandlockHandled {
	/** Rights on files and directories. Default: none. */
	fs?: Names<LandlockFsRight>;
	/** Rights on ports. Default: none. */
	net?: Names<LandlockNetRight>;
	/** What stays within the domain. Default: nothing. */
	scoped?: Names<LandlockScope>;
}

/** A rule for a file, or for a directory and all that is below it. */
export interface LandlockPathRule {
	/** The file or directory. The rule stays with it when it is renamed. */
	at: LocationLike;
	/** The rights that the rule allows. */
	allow: Names<LandlockFsRight>;
}

/** A rule for a port. */
export interface LandlockPortRule {
	/** The port, 0 to 65535. 0 stands for any port that the kernel chooses. */
	port: number;
	/** The rights that the rule allows. */
	allow: Names<LandlockNetRight>;
}

/**
 * Makes a ruleset that refuses rights where no rule allows them.
 *
 * A ruleset restricts nobody before `landlockRestrictSelf`. A right that is not handled stays as it is.
 *
 * @param handled - The rights and scopes that are refused, by name or as a bigint. At least one.
 * @returns A ruleset of the current task. The caller closes it, or declares it with `using`.
 * @throws `ENOMSG` Nothing is handled.
 * @throws `EINVAL` The kernel does not know a right.
 * @throws `E2BIG` The kernel does not know rights on ports (before Linux 6.7), or scopes (before Linux 6.12).
 * @throws `ENOSYS` The kernel has no Landlock, or a filter of seccomp(2) refuses the call.
 * @throws `EOPNOTSUPP` Landlock was not enabled at boot.
 * @throws `EMFILE` The task has reached its limit of descriptors.
 * @throws `ERR_NEARFAR_TASK_GONE` The current task has executed a program, exited or died.
 * @throws `TypeError` An argument has the wrong type, or a name is none.
 * @throws `RangeError` A number is not from 0 to 2^64-1.
 * @example
 * ```ts
 * await using task = await Task.clone();
 * using ruleset = task.run(() => landlockCreateRuleset({ fs: ["writeFile", "makeReg"] }));
 * ```
 * @see landlock_create_ruleset(2), Linux 5.13; no privilege
 */
export function landlockCreateRuleset(handled: LandlockHandled): LandlockRuleset {
	if (handled === undefined) throw wrongType("handled", "an object", handled);
	const { fs, net, scoped } = checkOptions(handled, ["fs", "net", "scoped"], "handled");
	const number = native().landlockCreateRuleset(
		toMask(landlockFsRights, fs, "handled.fs"),
		toMask(landlockNetRights, net, "handled.net"),
		toMask(landlockScopes, scoped, "handled.scoped"),
	);
	return adoptDescriptor(number, LandlockRuleset);
}

/**
 * Adds a rule to a ruleset. The rule allows rights that the ruleset handles.
 *
 * A path is opened with `O_PATH`, in the current task, and closed again. An open descriptor is used as it is.
 *
 * @param ruleset - A ruleset of the current task.
 * @param rule - A file or directory and its rights, or a port and its rights.
 * @throws `ENOMSG` The rule allows nothing.
 * @throws `EINVAL` The ruleset does not handle a right; a right for directories is allowed on a file; or the ruleset handles no rights
 * on ports, which the kernel does not know before Linux 6.7.
 * @throws `EBADFD` The descriptor of `at` is a pipe, a socket, a memfd, a namespace or a ruleset; or `ruleset` is no ruleset.
 * @throws `ENOENT` The file does not exist.
 * @throws `EACCES` A directory on the way may not be searched.
 * @throws `EMFILE` The task has reached its limit of descriptors.
 * @throws `ERR_NEARFAR_CLOSED` A descriptor is closed.
 * @throws `ERR_NEARFAR_FD_TABLE_MISMATCH` A descriptor belongs to another table than the current task's.
 * @throws `ERR_NEARFAR_BATCH` A descriptor is made by another batch, which has not run yet.
 * @throws `ERR_NEARFAR_TASK_GONE` The current task has executed a program, exited or died.
 * @throws `TypeError` An argument has the wrong type, or a name is none.
 * @throws `RangeError` A number is out of its range.
 * @example
 * ```ts
 * await using task = await Task.clone();
 * task.run(() => {
 *   using ruleset = landlockCreateRuleset({ fs: ["writeFile", "makeReg"] });
 *   landlockAddRule(ruleset, { at: "/tmp", allow: ["writeFile", "makeReg"] });
 * });
 * ```
 * @see landlock_add_rule(2), Linux 5.13, for ports Linux 6.7; no privilege
 */
export function landlockAddRule(ruleset: LandlockRuleset, rule: LandlockPathRule | LandlockPortRule): void {
	checkRuleset(ruleset);
	if (rule !== null && typeof rule === "object" && "port" in rule) {
		const { port, allow } = checkOptions(rule, ["port", "allow"], "rule");
		addPortRule(
			ruleset,
			integer(port, "rule.port", 0, 65_535),
			toMask(landlockNetRights, given(allow, "rule.allow"), "rule.allow"),
		);
		return;
	}
	const { at, allow } = checkOptions(rule, ["at", "allow"], "rule");
	const allowed = toMask(landlockFsRights, given(allow, "rule.allow"), "rule.allow");
	const open = () => openat2(at, { flags: ["path"] });
	onFile(at, open, (file) => addPathRule(ruleset, file, allowed));
}

/**
 * Calls `fn` with the file of a place.
 *
 * @param open - Opens the place, if it is none that is open already. The descriptor is closed. `undefined`: there is no file.
 */
export function onFile(
	at: LocationLike,
	open: () => FileDescriptor | undefined,
	fn: (file: FileDescriptor) => void,
): void {
	const own = openDescriptor(at);
	const file = own ?? open();
	if (!file) return;
	try {
		fn(file);
	} finally {
		if (!own) file.close();
	}
}

/** Returns the descriptor of a place that is open already. `undefined`: the place has to be opened. */
function openDescriptor(at: LocationLike): FileDescriptor | undefined {
	if (at instanceof FileDescriptor) return at;
	return at instanceof Location && at.path.length === 0 && at.emptyPath ? at.directory : undefined;
}

/** Adds a rule for an open file. */
export function addPathRule(ruleset: LandlockRuleset, file: FileDescriptor, allowed: bigint): void {
	native().landlockAddPathRule(numberOf(ruleset), numberOf(file), allowed);
}

/** Adds a rule for a port. */
export function addPortRule(ruleset: LandlockRuleset, port: number, allowed: bigint): void {
	native().landlockAddPortRule(numberOf(ruleset), port, allowed);
}

/** Refuses what is no ruleset. */
export function checkRuleset(ruleset: LandlockRuleset): void {
	if (!(ruleset instanceof LandlockRuleset)) throw wrongType("ruleset", "a LandlockRuleset", ruleset);
}

function given<T>(names: Names<T> | undefined, name: string): Names<T> {
	if (names === undefined) throw wrongType(name, "an array of names or a bigint", names);
	return names;
}
