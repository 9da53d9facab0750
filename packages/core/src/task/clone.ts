import type { Event } from "../../native/binding.js";
import { cloneFlags, type NamespaceKind, namespaceFlags } from "../addon/flags.generated.ts";
import { toBits } from "../addon/flags.ts";
import { dispatch, native } from "../addon/native.ts";
import { abandon, once } from "../addon/request.ts";
import { abortSignal, array, options as checkOptions, pid as checkPid, wrongType, wrongValue } from "../arguments.ts";
import { TaskGoneError } from "../errors.ts";
import { FileDescriptor } from "../files/descriptor.ts";
import { FDTable } from "../identity.ts";
import { makeError } from "../target/make-error.ts";
import { withTarget } from "../target/target.ts";
import { checkMaps, type IdMaps, writeMaps } from "./idmap.ts";
import { later } from "./patience.ts";
import { Task } from "./task.ts";

const SIGKILL = 9;

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

/** Clones a task from `parent`, or from the zygote. */
export async function cloneTask(parent: Task | undefined, options: CloneOptions = {}): Promise<Task> {
	const { data, maps } = checkClone(parent, options);
	const { begin, signal } = options;
	signal?.throwIfAborted();
	let cloning = clone(parent, data, options);
	const abort = () => {
		if (!stop(cloning.task)) later(cloning.leave);
	};
	signal?.addEventListener("abort", abort, { once: true });
	if (signal?.aborted) abort(); // in `begin`
	try {
		let failure = await cloning.answered;
		// The zygote died before it had told of anything: another one takes its place, unless a first batch may have run.
		if (failure?.kind === "gone" && !parent && !cloning.begun && !signal?.aborted) {
			cloning = clone(parent, data, options);
			failure = await cloning.answered;
		}
		signal?.throwIfAborted();
		// A parent that is gone says so itself. One that is not has lost its child: nothing has become of it.
		if (failure?.kind === "gone" && parent && isAlive(parent)) {
			throw new TaskGoneError(`a task that ${parent} cloned was killed before it could say so: try again`);
		}
		if (failure) throw withTarget(parent ?? (Task.near as unknown as Task), undefined, () => makeError(failure));
		const { task, begun } = cloning;
		if (maps) writeMaps(task.pid, maps, parent);
		await (begun ?? (begin && task.batch(() => begin(task))));
		signal?.throwIfAborted();
		return task;
	} catch (error) {
		await cloning.end();
		signal?.throwIfAborted();
		throw error;
	} finally {
		signal?.removeEventListener("abort", abort);
	}
}

function isAlive(task: Task): boolean {
	return task.state === "live" && task.process.poll({ exited: true, nowait: true }) === undefined;
}

type CloneData = Parameters<ReturnType<typeof native>["clone"]>[0];

/** What the addon needs to clone, everything checked, and the ids to map when it has. */
function checkClone(
	parent: Task | undefined,
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
			cgroup: withTarget(Task.near as unknown as Task, undefined, () =>
				FileDescriptor.check(cgroup, "options.cgroup").number(),
			),
		}),
		resetSignals: parent ? Task.touchedSignals(parent) : false,
		setTid: array(setTid, "options.setTid").map((pid, index) => checkPid(pid, `options.setTid[${index}]`)),
	};
	return { data, maps: flags === 0 ? undefined : maps };
}

interface Cloning {
	readonly task: Task;
	/** When it is known whether it is there, and else why not; or nobody waits for that any more. */
	readonly answered: Promise<Event["failure"]>;
	/** Its first batch, where that was sent along. */
	readonly begun: Promise<void> | undefined;
	/** Who clones it may be busy for ever: it is not waited for any more. */
	leave(): void;
	/** Kills and reaps the task, whatever it is by now; one that nobody waits for when it is there. */
	end(): Promise<void>;
}

function clone(parent: Task | undefined, data: CloneData, options: CloneOptions): Cloning {
	const table = parent && options.share?.includes("files") ? parent.fdTable : undefined;
	if (table && parent) FDTable.assertNobodyCloses(table, parent);
	const { id, early } = parent ? native().cloneFrom(Task.number(parent), data) : native().clone(data);
	const task = Task.made(id, parent, options);
	const arrived = table && FDTable.expect(table);
	const receive = (reply: Event) => {
		arrived?.();
		if (reply.failure) Task.failed(task);
		else Task.appeared(task, reply, parent, options);
	};
	const appeared = once(id, receive).then(({ failure }) => failure);
	const { begin } = options;
	const begun = begin && early ? Task.begin(task, begin, appeared) : undefined;
	begun?.catch(() => {}); // where the clone fails this does too, and that is not the reason
	const end = () => appeared.then(() => endTask(task));
	// Mostly nobody can give up.
	if (!options.signal) return { task, answered: appeared, begun, leave() {}, end };
	const { left, leave } = leaving(id, appeared);
	return { task, answered: Promise.race([appeared, left]), begun, leave, end: () => Promise.race([end(), left]) };
}

/** How not to wait any more for the event about request `id`, and a promise that says so. */
function leaving(id: number, appeared: Promise<unknown>): { left: Promise<undefined>; leave(): void } {
	let known = false;
	let leave = () => {};
	const left = new Promise<undefined>((resolve) => {
		leave = () => {
			if (!known) abandon(id);
			resolve(undefined);
		};
	});
	appeared.then(() => {
		known = true;
	});
	return { left, leave };
}

/** Ends what a task is in the middle of, be that its clone or its first batch: both hear of it. `false`: it is not there. */
function stop(task: Task): boolean {
	dispatch(); // of one that is busy nobody is told
	const id = Task.number(task);
	try {
		if (native().killChild(id, SIGKILL)) return true;
	} catch {
		native().hangUp(id); // it has become another user's, and ends when it has made its call
		return true;
	}
	native().hangUp(id);
	return false;
}

/** Kills and reaps a task, or the program that it has become. */
export async function endTask(task: Task): Promise<void> {
	if (task.state === "exec") await task.process[Symbol.asyncDispose]();
	else await task[Symbol.asyncDispose]();
}
