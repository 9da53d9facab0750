import {
	type CloneOptions,
	IdMapHelperError,
	type IdMaps,
	MultithreadedError,
	type NamespaceKind,
	SyscallError,
	type Task,
	writeIdMap,
} from "@nearfar/core";
import {
	type AnyTask,
	array,
	checkMaps,
	options as checkOptions,
	isTask,
	namespaceFlags,
	native,
	refuseFirstChild,
	sharersOf,
	taskOf,
	threadId,
	toBits,
	wrongType,
	wrongValue,
} from "@nearfar/core/internal";
import { unshare } from "./unshare.ts";

/**
 * Moves a live task into a new user namespace, and writes the maps of that namespace.
 *
 * The writer of the maps is a task that is cloned from the task before, so that the writer is in the present user namespace with
 * the present credentials. Afterwards the task has every capability in the new namespace, and the ids that the maps give to it.
 * If unshare(2) is refused, the task is as before. If a map is refused, the task is in the new namespace without that map, and is
 * of no use any more: `error.hint` says so.
 *
 * @param task - The task, which has its memory alone.
 * @param options - `idMap`: the ids that the new user namespace maps, as for `Task.clone`; default: `"identity"`. `namespaces`: the
 * kinds of namespaces that are made along with `"user"`, by the same call; default: none.
 * @throws `EPERM` User namespaces are forbidden on this host, or the task is in a chroot.
 * @throws `EPERM` The user or the group of the task is not mapped in its present user namespace.
 * @throws `EINVAL` The task shares its memory with another task.
 * @throws `EINVAL` The task has made a pid or time namespace that has no process yet: the writer would be the first process there.
 * @throws `ENOSPC` A limit of namespaces in `/proc/sys/user` is reached.
 * @throws `ERR_NEARFAR_MULTITHREADED` The task is {@link Task.near}: the kernel would change one thread of many.
 * @throws `ERR_NEARFAR_THREAD` The task is a thread of Node.
 * @throws `ERR_NEARFAR_TASK_GONE` The task has executed a program, supervises one, exited or died.
 * @throws `ERR_NEARFAR_ID_MAP_HELPER` The helper newuidmap(1) or newgidmap(1) has failed.
 * @throws `TypeError` An argument has the wrong type, or a value that is not among those allowed.
 * @throws `RangeError` An id is out of its range, or two ranges of a map overlap.
 * @throws Any error of {@link writeIdMap}, and of `Task#clone` for the writer.
 * @example
 * ```ts
 * await using task = await Task.clone();
 * await unshareUser(task, { idMap: "root", namespaces: ["uts"] });
 * task.run(() => sethostname("inside"));
 * ```
 * @see unshare(2), user_namespaces(7); no privilege for ids of one's own
 */
export async function unshareUser(
	task: Task,
	options?: { idMap?: CloneOptions["idMap"]; namespaces?: readonly NamespaceKind[] },
): Promise<void> {
	const { idMap = "identity", namespaces = [] } = checkOptions(options, ["idMap", "namespaces"]);
	if (!isTask(task)) throw wrongType("task", "a Task", task);
	const others = toBits(namespaceFlags, array(namespaces, "options.namespaces"), "options.namespaces");
	const asked = toAsked(idMap);
	refuseThreads(task);
	refuseSharedMemory(task);
	const maps = task.run(() => toMaps(asked));
	const move = () => task.run(() => unshare(namespaceFlags.user | others));
	if (!maps) {
		move();
		return;
	}
	refuseFirstChild(task, "unshare");
	await using writer = await task.clone();
	move();
	try {
		await writeIdMap(task, maps, { by: writer });
	} catch (error) {
		throw withHint(error, `${task} is in a new user namespace whose maps are not all written: dispose of the task`);
	}
}

/** Refuses this process and its threads: the kernel moves no single thread into a user namespace. */
function refuseThreads(task: AnyTask): void {
	const isThread = threadId(task) !== undefined;
	if (!task.isNear && !isThread) return;
	const error = new MultithreadedError(
		`unshareUser would change one thread of this process and leave the others: use Task.clone`,
	);
	throw isThread ? Object.assign(error, { code: "ERR_NEARFAR_THREAD" }) : error;
}

/** Refuses a task that shares its memory: the other task could then change what a task of another user namespace does. */
function refuseSharedMemory(task: AnyTask): void {
	const [other] = sharersOf(task.addressSpace).livingTasks(task);
	if (!other) return;
	const hint = `the task shares its memory with ${other}: unshare before the other one is cloned, or clone without "vm"`;
	throw new SyscallError({ code: "EINVAL", errno: 22, syscall: "unshare" }, { hint, ...taskOf(task) });
}

type Asked = "identity" | "root" | "none" | IdMaps;

/** Checks the option. Each iterable is read once. */
function toAsked(idMap: NonNullable<CloneOptions["idMap"]>): Asked {
	if (typeof idMap === "object" && idMap !== null) {
		const { uids, gids, helper, setgroups } = checkMaps(idMap);
		return { ...(uids && { uids }), ...(gids && { gids }), helper, setgroups };
	}
	if (["identity", "root", "none"].includes(idMap)) return idMap;
	throw wrongValue("options.idMap", '"identity", "root", "none" or an object of uids and gids', idMap);
}

/** Returns the maps for the ids of the current task. `undefined`: no map is to be written. */
function toMaps(idMap: Asked): IdMaps | undefined {
	if (idMap === "none") return undefined;
	if (typeof idMap === "object") return idMap;
	const [uid, gid] = [native().geteuid(), native().getegid()];
	const one = (outside: number) => [{ inside: idMap === "root" ? 0 : outside, outside, count: 1 }];
	return { uids: one(uid), gids: one(gid), setgroups: "deny" }; // as Task.clone writes these maps
}

function withHint(error: unknown, hint: string): unknown {
	if (!(error instanceof SyscallError || error instanceof IdMapHelperError)) return error;
	return Object.assign(error, { hint: error.hint === undefined ? hint : `${error.hint}; ${hint}` });
}
