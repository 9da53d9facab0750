import { abortSignal, array, options as checkOptions, pid as checkPid, wrongValue } from "./arguments.ts";
import { FileDescriptor } from "./descriptor.ts";
import { makeError } from "./errors.ts";
import { once } from "./events.ts";
import { cloneFlags, type NamespaceKind, namespaceFlags } from "./flags.generated.ts";
import { toBits } from "./flags.ts";
import { checkMaps, type IdMaps, writeMaps } from "./idmap.ts";
import { native } from "./native.ts";
import { withTarget } from "./target.ts";
import { Task } from "./task.ts";

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
	 * `"vm"` its memory. Never with Node: only for a task cloned by a task.
	 */
	share?: readonly SharedPart[];
	/** An open directory of cgroup v2 in which the task begins (Linux 5.7). */
	cgroup?: FileDescriptor;
	/** Pids to get, innermost namespace first (Linux 5.5); needs CAP_SYS_ADMIN or CAP_CHECKPOINT_RESTORE. */
	setTid?: readonly number[];
	/** Gives up: what was cloned is killed. Has no effect once the task is there. */
	signal?: AbortSignal;
}

/** Clones a task from `parent`, or from the zygote. */
export async function cloneTask(parent: Task | undefined, options: CloneOptions | undefined): Promise<Task> {
	const { namespaces = [], idMap = "identity", share = [], cgroup, setTid = [], signal } = checkOptions(options);
	abortSignal(signal);
	const flags = toBits(namespaceFlags, array(namespaces, "options.namespaces"), "options.namespaces");
	const shared = toBits(sharedParts, array(share, "options.share"), "options.share");
	if (shared !== 0 && !parent)
		throw wrongValue("options.share", "nothing: a task shares with a task that clones it, never with Node", share);
	const maps = typeof idMap === "object" ? checkMaps(idMap) : undefined;
	if (!maps && !["identity", "root", "none"].includes(idMap as string)) {
		throw wrongValue("options.idMap", '"identity", "root", "none" or an object of uids and gids', idMap);
	}
	signal?.throwIfAborted();
	const data = {
		flags: flags | shared,
		...(!maps && idMap !== "none" && { map: idMap as string }),
		...(cgroup && {
			cgroup: withTarget(Task.near as unknown as Task, undefined, () =>
				FileDescriptor.check(cgroup, "options.cgroup").number(),
			),
		}),
		resetSignals: parent ? Task.touchedSignals(parent) : false,
		setTid: array(setTid, "options.setTid").map((pid, index) => checkPid(pid, `options.setTid[${index}]`)),
	};
	const request = () => once(parent ? native().cloneFrom(Task.number(parent), data) : native().clone(data));
	let event = await request();
	// The zygote died before it had cloned anything: another one takes its place.
	if (event.failure?.kind === "gone" && !parent) event = await request();
	const { failure } = event;
	if (failure) throw withTarget(parent ?? (Task.near as unknown as Task), undefined, () => makeError(failure));
	const task = Task.made(event, parent, { namespaces, share });
	try {
		if (maps && flags !== 0) writeMaps(task.pid, maps, parent);
		signal?.throwIfAborted();
	} catch (error) {
		await task[Symbol.asyncDispose]();
		throw error;
	}
	return task;
}
