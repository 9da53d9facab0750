import { cloneFlags, type NamespaceKind, namespaceFlags } from "../addon/flags.generated.ts";
import { toBits } from "../addon/flags.ts";
import type { native } from "../addon/native.ts";
import { abortSignal, array, options as checkOptions, pid as checkPid, wrongType, wrongValue } from "../arguments.ts";
import { type FileDescriptor, numberOf } from "../files/descriptor.ts";
import type { NamespaceCall } from "../obstacles/namespace-hint.ts";
import { type AnyTask, nearTask, withTarget } from "../target/target.ts";
import { type CgroupLike, type CgroupPlace, cgroupPlace } from "./cgroup-like.ts";
import { type CheckedMaps, checkMaps, type IdMaps, nestedOwnMap, ownMap } from "./idmap.ts";
import { stateOf } from "./state.ts";
import type { Task } from "./task.ts";

/** A part of a task that it can share with the task that clones it. */
export type SharedPart = "files" | "fs" | "vm";

const sharedParts = { files: cloneFlags.files, fs: cloneFlags.fs, vm: cloneFlags.vm } as const;

/** How to clone a task. */
export interface CloneOptions {
	/** The kinds of namespaces of which the task gets new ones. Default: none. The task shares the others. */
	namespaces?: readonly NamespaceKind[];
	/**
	 * With `"user"`: the ids that the new user namespace maps. `"identity"` (default): the present user and group, each
	 * to itself. `"root"`: each of them to 0. `"none"`: no ids yet. Ranges need CAP_SETUID and CAP_SETGID, or newuidmap(1) and
	 * newgidmap(1), and the ranges of the user in `/etc/subuid` and `/etc/subgid`: see {@link IdMaps}.
	 */
	idMap?: "identity" | "root" | "none" | IdMaps;
	/**
	 * The parts that the task shares with the task that clones it: `"files"` the descriptors, `"fs"` root, working
	 * directory and umask, `"vm"` the memory. A task never shares with Node: this option is for a task that a task
	 * clones. With `"files"`, a call that closes or replaces descriptors by number throws a `BatchError` until `clone`
	 * has resolved, and so do `exec` and `supervise` of the tasks that share them.
	 */
	share?: readonly SharedPart[];
	/**
	 * The cgroup in which the task begins (Linux 5.7): a `Cgroup` of `@nearfar/cgroup`, or an open directory of cgroup v2. Default:
	 * the cgroup of the cloning task, or Node. Where the `Cgroup` has a keeper, {@link Task.clone} goes through that task. Refused:
	 * another descriptor (`EBADF`).
	 */
	cgroup?: CgroupLike | FileDescriptor;
	/**
	 * The pids that the task gets, 1 to 2147483647, innermost namespace first (Linux 5.5). Default: free ones. Refused: a
	 * pid that is in use (`EEXIST`). Needs CAP_SYS_ADMIN or CAP_CHECKPOINT_RESTORE.
	 */
	setTid?: readonly number[];
	/**
	 * Makes the first calls of the task. The calls are collected as by {@link Task.batch}, and mostly sent along with the
	 * clone, which saves a wait. If one of them fails, so does the clone, and nothing is left of the task.
	 *
	 * The function gets the task, which has no pid yet: a question about its process throws a `BatchError`.
	 *
	 * @example
	 * ```ts
	 * const { process } = await Task.clone({
	 * 	begin(task) {
	 * 		chdir("/");
	 * 		task.exec("pwd");
	 * 	},
	 * });
	 * await process.check();
	 * ```
	 */
	begin?: (task: Task) => void;
	/**
	 * Gives up when aborted: the new task is killed, whatever it does. If the cloning task is busy or stopped, `clone`
	 * rejects after 100 ms without waiting for the new task, which is killed when it appears. Has no effect after `clone`
	 * has resolved.
	 */
	signal?: AbortSignal;
}

/** The data that the addon needs to clone. */
export type CloneData = Parameters<ReturnType<typeof native>["clone"]>[0];

/** The checked options of a clone. */
export interface CheckedClone {
	/** The data that the addon needs. */
	readonly data: CloneData;
	/** The id maps to write after the clone. */
	readonly maps: CheckedMaps | undefined;
	/** The cgroup in which the task begins. */
	readonly place: CgroupPlace | undefined;
	/** The task that clones. `undefined`: the zygote. */
	readonly cloner: AnyTask | undefined;
}

/**
 * Checks the options of a clone.
 *
 * @param parent - The task whose `clone` was called. `undefined`: this process.
 */
export function checkClone(parent: AnyTask | undefined, options: CloneOptions): CheckedClone {
	const {
		namespaces = [],
		idMap: map,
		share = [],
		cgroup,
		setTid = [],
		begin,
		signal,
	} = checkOptions(options, ["namespaces", "idMap", "share", "cgroup", "setTid", "begin", "signal"]);
	abortSignal(signal);
	if (begin !== undefined && typeof begin !== "function") throw wrongType("options.begin", "a function", begin);
	const flags = toBits(namespaceFlags, array(namespaces, "options.namespaces"), "options.namespaces");
	const shared = toBits(sharedParts, array(share, "options.share"), "options.share");
	if (shared !== 0 && !parent)
		throw wrongValue("options.share", "nothing: a task shares with a task that clones it, never with Node", share);
	const place = cgroup === undefined ? undefined : cgroupPlace(cgroup);
	const cloner = parent ?? place?.keeper;
	if (map !== undefined && !(flags & namespaceFlags.user)) {
		throw wrongValue(
			"options.idMap",
			'absent without "user" in options.namespaces: it maps the ids of a new user namespace',
			map,
		);
	}
	const idMap = map === undefined ? "identity" : map;
	const maps = typeof idMap === "object" ? checkMaps(idMap) : undefined;
	const own = maps && (cloner ? nestedOwnMap(maps) : ownMap(maps));
	if (!maps && !["identity", "root", "none"].includes(idMap as string)) {
		throw wrongValue("options.idMap", '"identity", "root", "none" or an object of uids and gids', idMap);
	}
	const data = {
		flags: flags | shared,
		...(!maps && idMap !== "none" && { map: idMap as string }),
		...(own && { map: own }),
		...(place && {
			cgroup: withTarget(nearTask(), undefined, () => numberOf(place.fd, "options.cgroup")),
		}),
		resetSignals: cloner ? stateOf(cloner).signalsTouched : false,
		setTid: array(setTid, "options.setTid").map((pid, index) => checkPid(pid, `options.setTid[${index}]`)),
	};
	return { data, maps: own ? undefined : maps, place, cloner };
}

/** Returns what a clone makes, for the hint of its error. */
export function namespaceCall({ namespaces = [], cgroup, setTid }: CloneOptions): NamespaceCall {
	const named = { time: namespaces.includes("time"), cgroup: cgroup !== undefined, setTid: setTid !== undefined };
	const options = Object.entries(named).filter(([, given]) => given);
	return { kinds: namespaces, options: options.map(([name]) => name) };
}
