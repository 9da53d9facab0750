import { CapabilitySet, type Caps } from "@nearfar/caps";
import { NearfarError, type ProcessOption, SyscallError } from "@nearfar/core";
import {
	capabilityBits,
	options as checkOptions,
	checkUser,
	currentTask,
	id,
	native,
	onEveryThread,
	optionalBoolean,
	resolveUser,
} from "@nearfar/core/internal";
import { groupList } from "./group-list.ts";
import type { User } from "./users.ts";

/** The options of {@link dropTo}. */
export interface DropToOptions extends ProcessOption {
	/** The group id: 0 to 4294967294. Default: the user's own. */
	gid?: number;
	/**
	 * The supplementary groups: exactly these, up to 65536. `"keep"`: the groups stay as they are, which is the only way where the
	 * user namespace denies setgroups(2). Default: the groups that {@link groupsOf} returns.
	 */
	groups?: readonly number[] | "keep";
	/**
	 * The capabilities that stay effective and permitted: what `CapabilitySet.from` takes. The task has to have them. For user id 0
	 * the option has no effect. Default: none.
	 */
	keep?: Caps;
	/** `true`: programs of the user have the kept capabilities, too. Default: `false`. */
	ambient?: boolean;
}

/** The ids, groups and capabilities that a task or this process shall have. */
interface Wanted {
	readonly uid: number;
	readonly gid: number;
	/** `undefined`: the groups stay. */
	readonly groups: number[] | undefined;
	readonly keep: bigint;
	readonly ambient: boolean;
}

/**
 * Makes the current task a process of another user, for good: groups, group ids, user ids and capabilities, in this order. Then checks
 * what the kernel has made of them.
 *
 * The C library of Node resolves the user before the task is asked for anything, so that files of a container are never read. The
 * rest is one message to the task. The bounding set, the environment, the working directory and the umask stay as they are. To
 * reduce the bounding set too, keep `setpcap` and call `dropCapabilities` afterwards, or call `bounding.drop` before. For user id 0 all
 * capabilities stay.
 *
 * If the kernel refuses setgroups(2), nothing was changed. After another refusal a task has other groups or ids already: throw the
 * task away. The error names the refused call. With `process` nothing has changed after any error.
 *
 * A batch cannot read: the function checks nothing there.
 *
 * @param user - The name of a user, or a user id from 0 to 4294967294. A user id that no user has needs `gid` and `groups`.
 * @param options - `gid`, `groups`, `keep` and `ambient`: see {@link DropToOptions}. `process`: `true` lets the call change every thread
 * of Node, or none, where it is made near. Default: `false`.
 * @throws `EPERM` The task has no CAP_SETGID or no CAP_SETUID.
 * @throws `EPERM` The user namespace denies setgroups(2): pass `groups: "keep"`.
 * @throws `EPERM` A capability of `keep` is not permitted.
 * @throws `EPERM` With `ambient`: the bounding set does not have a capability, or the securebit `noCapAmbientRaise` is set.
 * @throws `EPERM` With `keep`: the securebit `keepCaps` is locked.
 * @throws `EINVAL` The user namespace does not map an id.
 * @throws `EAGAIN` The user has reached its limit of processes (RLIMIT_NPROC).
 * @throws `ERR_NEARFAR_CREDENTIALS_LEFT` The kernel accepted every call, and the ids, groups or capabilities are not the wanted ones. The
 * message names them. Throw the task away. With `process` no thread of Node was changed.
 * @throws `ERR_NEARFAR_UNKNOWN_USER` No user has the name or the id.
 * @throws `EMFILE` Node has no free descriptor to read the files of users with.
 * @throws `EACCES` Node may not read the files of users.
 * @throws `ERR_NEARFAR_MULTITHREADED` The call is made in Node without `process`: the kernel would change one thread of many.
 * @throws `ERR_NEARFAR_IO_URING` With `process`: Node has an io_uring, which would keep its credentials.
 * @throws `ERR_NEARFAR_THREAD_SILENT` With `process`: a thread of Node did not answer.
 * @throws `ERR_NEARFAR_THREADS_DIFFER` With `process`: a thread of Node has other credentials than the calling thread.
 * @throws `ERR_NEARFAR_BATCH` The call is in a batch of this process, with `process`.
 * @throws `ERR_NEARFAR_TASK_GONE` The current task has executed a program, exited or died.
 * @throws `TypeError` An argument or an option is of the wrong type, or an option is unknown.
 * @throws `RangeError` An id is not an integer from 0 to 4294967294, or the user has one that is not.
 * @throws `RangeError` There are more than 65536 groups.
 * @example A program of another user that may bind ports below 1024
 * ```ts
 * await using task = await Task.clone(); // as root
 * task.run(() => dropTo("nobody", { keep: ["netBindService"], ambient: true }));
 * await task.exec("/bin/grep", ["grep", "-E", "^(Uid|Gid|Groups|CapEff):", "/proc/self/status"]).check();
 * ```
 * @see setresuid(2), setresgid(2), setgroups(2), capset(2), PR_SET_KEEPCAPS(2const), PR_CAP_AMBIENT(2const), Linux 4.3; CAP_SETUID
 * and CAP_SETGID over the user namespace
 */
export function dropTo(user: User, options?: DropToOptions): void {
	checkUser(user, "user");
	const checked = checkOptions(options, ["process", "gid", "groups", "keep", "ambient"]);
	const keep = keptBits(checked.keep);
	const ambient = optionalBoolean(checked.ambient, "options.ambient") ?? false;
	const gid = checked.gid === undefined ? undefined : id(checked.gid, "options.gid");
	const given = checked.groups;
	const groups = given === undefined || given === "keep" ? given : [...new Set(groupList(given, "options.groups"))];
	onEveryThread(checked, "setresuid", () => {
		const wanted = { ...resolve(user, gid, groups), keep, ambient };
		const found = explained(wanted, () => native().dropTo(wanted.uid, wanted.gid, wanted.groups, keep, ambient));
		if (found) check(found, wanted);
	});
}

/** Returns the bits of the option `keep`, without those that the running kernel does not have. */
function keptBits(keep: Caps = 0n): bigint {
	// The iteration of a set leaves out what has no name.
	const bits = capabilityBits(keep instanceof CapabilitySet ? keep.bits : keep, "options.keep");
	return bits & CapabilitySet.all().bits;
}

function resolve(user: User, gid: number | undefined, groups: number[] | "keep" | undefined) {
	const list = groups === "keep" ? undefined : groups;
	// A user that has no entry anywhere is an id alone.
	if (typeof user === "number" && gid !== undefined && groups !== undefined) return { uid: user, gid, groups: list };
	const found = resolveUser(user, "user", { gid, groups: groups === undefined });
	return { uid: found.uid, gid: found.gid, groups: groups === undefined ? found.groups : list };
}

/** Runs `fn`. The error of a refused call says what to do, and what has changed in the task before it. */
function explained<T>(wanted: Wanted, fn: () => T): T {
	try {
		return fn();
	} catch (error) {
		if (error instanceof SyscallError) {
			const hints = [error.hint, hintFor(error, wanted)].filter((hint) => hint !== undefined);
			if (hints.length > 0) Object.assign(error, { hint: hints.join("; ") });
		}
		throw error;
	}
}

function hintFor({ code, syscall }: SyscallError, wanted: Wanted): string | undefined {
	if (syscall === "setgroups" && code === "EPERM") {
		return 'CAP_SETGID is missing, or the user namespace denies setgroups: groups: "keep" leaves the groups as they are';
	}
	const changed = currentTask().isNear ? [] : changedBefore(syscall, wanted);
	return changed.length > 0 ? `the task has other ${changed.join(" and ")} already: throw it away` : undefined;
}

/** Returns what a task has changed before a call was refused. */
function changedBefore(syscall: string, { uid, groups }: Wanted): string[] {
	const first = groups === undefined ? [] : ["groups"];
	switch (syscall) {
		case "setresgid":
			return first;
		case "setresuid":
			return [...first, "group ids"];
		case "capset":
			return [...first, "ids"];
		case "prctl":
			// The flag "keep capabilities" is refused before anything has changed, and an ambient capability after the ids.
			return native().geteuid() === uid ? [...first, "ids"] : [];
		default:
			return [];
	}
}

type Found = NonNullable<ReturnType<ReturnType<typeof native>["dropTo"]>>;

/** Throws if what the kernel reports is not what was asked for. */
function check({ uids, gids, groups, sets, unchanged }: Found, wanted: Wanted): void {
	const left: string[] = [];
	if (uids.some((uid) => uid !== wanted.uid)) left.push(`the user ids ${uids.join(" ")}, not ${wanted.uid}`);
	if (gids.some((gid) => gid !== wanted.gid)) left.push(`the group ids ${gids.join(" ")}, not ${wanted.gid}`);
	if (wanted.groups !== undefined && !equalSets(groups, wanted.groups)) {
		left.push(`${groups.length} groups (${shown(groups)}), not ${wanted.groups.length} (${shown(wanted.groups)})`);
	}
	if (wanted.uid !== 0) {
		const inherited = wanted.ambient ? wanted.keep : 0n;
		const expected = [wanted.keep, wanted.keep, inherited, inherited];
		for (const [index, name] of ["effective", "permitted", "inheritable", "ambient"].entries()) {
			const [has = 0n, should = 0n] = [sets[index], expected[index]];
			if (has !== should) left.push(`"${CapabilitySet.from(has)}" ${name}, not "${CapabilitySet.from(should)}"`);
		}
	}
	if (unchanged) {
		const words = `${currentTask()} would have ${left.join("; ")}, and every thread of it is as it was`;
		throw new NearfarError("CREDENTIALS_LEFT", words);
	}
	if (left.length > 0) throw new NearfarError("CREDENTIALS_LEFT", `${currentTask()} has ${left.join("; ")}`);
}

function equalSets(some: readonly number[], others: readonly number[]): boolean {
	const set = new Set(others);
	return new Set(some).size === set.size && some.every((each) => set.has(each));
}

function shown(groups: readonly number[]): string {
	return groups.length > 10 ? `${groups.slice(0, 10).join(" ")} …` : groups.join(" ");
}
