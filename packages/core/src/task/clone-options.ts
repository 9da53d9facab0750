import { cloneFlags, type NamespaceKind, namespaceFlags } from "../addon/flags.generated.ts";
import { toBits } from "../addon/flags.ts";
import type { native } from "../addon/native.ts";
import { abortSignal, array, options as checkOptions, pid as checkPid, wrongType, wrongValue } from "../arguments.ts";
import { type FileDescriptor, numberOf } from "../files/descriptor.ts";
import { type AnyTask, nearTask, withTarget } from "../target/target.ts";
import { checkMaps, type IdMaps } from "./idmap.ts";
import { stateOf } from "./state.ts";
import type { Task } from "./task.ts";

/** What a task can share with the task that clones it. */
export type SharedPart = "files" | "fs" | "vm";

const sharedParts = { files: cloneFlags.files, fs: cloneFlags.fs, vm: cloneFlags.vm } as const;

/** How to clone a task. */
export interface CloneOptions {
	/** Namespaces to make new ones of. Default: none, all are shared. */
	namespaces?: readonly NamespaceKind[];
	/**
	 * With `"user"`: which ids the new user namespace maps. `"identity"` (default): the present user and group, each to
	 * itself; `"root"`: each to 0; `"none"`: nothing yet; or ranges, for which CAP_SETUID and CAP_SETGID are needed.
	 */
	idMap?: "identity" | "root" | "none" | IdMaps;
	/**
	 * What it shares with the task that clones it: `"files"` its descriptors, `"fs"` its root, working directory and umask,
	 * `"vm"` its memory. Never with Node: only for a task cloned by a task. With `"files"`, what closes or replaces
	 * descriptors by number is a `BatchError` until `clone` has resolved, and so are `exec` and `supervise` of who has them.
	 */
	share?: readonly SharedPart[];
	/** An open directory of cgroup v2 in which the task begins (Linux 5.7). */
	cgroup?: FileDescriptor;
	/** Pids to get, innermost namespace first (Linux 5.5); needs CAP_SYS_ADMIN or CAP_CHECKPOINT_RESTORE. */
	setTid?: readonly number[];
	/**
	 * What the task does first: its calls are collected as {@link Task.batch} does, and mostly sent along with the clone, so
	 * that nobody waits in between. If one fails, so does the clone, and nothing is left of it.
	 *
	 * It is given the task, which has no pid yet: to ask about its process is a `BatchError`.
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
	 * Gives up: what was cloned is killed, whatever it does. Where who clones it is busy or stopped, and so has not done it
	 * in 100 ms, that is not waited for: it is killed when it is there. Has no effect once `clone` has resolved.
	 */
	signal?: AbortSignal;
}

/** What the addon needs to clone. */
export type CloneData = Parameters<ReturnType<typeof native>["clone"]>[0];

/** What the addon needs to clone, everything checked, and the ids to map when it has. */
export function checkClone(
	parent: AnyTask | undefined,
	options: CloneOptions,
): { data: CloneData; maps: ReturnType<typeof checkMaps> | undefined } {
	const { namespaces = [], idMap = "identity", share = [], cgroup, setTid = [], begin, signal } = checkOptions(options);
	abortSignal(signal);
	if (begin !== undefined && typeof begin !== "function") throw wrongType("options.begin", "a function", begin);
	const flags = toBits(namespaceFlags, array(namespaces, "options.namespaces"), "options.namespaces");
	const shared = toBits(sharedParts, array(share, "options.share"), "options.share");
	if (shared !== 0 && !parent)
		throw wrongValue("options.share", "nothing: a task shares with a task that clones it, never with Node", share);
	const maps = typeof idMap === "object" ? checkMaps(idMap) : undefined;
	if (!maps && !["identity", "root", "none"].includes(idMap as string)) {
		throw wrongValue("options.idMap", '"identity", "root", "none" or an object of uids and gids', idMap);
	}
	const data = {
		flags: flags | shared,
		...(!maps && idMap !== "none" && { map: idMap as string }),
		...(cgroup && {
			cgroup: withTarget(nearTask(), undefined, () => numberOf(cgroup, "options.cgroup")),
		}),
		resetSignals: parent ? stateOf(parent).signalsTouched : false,
		setTid: array(setTid, "options.setTid").map((pid, index) => checkPid(pid, `options.setTid[${index}]`)),
	};
	return { data, maps: flags === 0 ? undefined : maps };
}
