import { throwIfAborted } from "../abortable.ts";
import { abortSignal, options as checkOptions, wrongType } from "../arguments.ts";
import { TaskGoneError } from "../errors.ts";
import { trackerOf } from "../process/child-tracker.ts";
import { isTask, type ProcessLike } from "../process/process-like.ts";
import { type AnyTask, nearTask } from "../target/target.ts";
import { checkMaps, type IdMaps } from "./idmap.ts";
import { MapTarget } from "./map-target.ts";
import { writeMaps } from "./map-writer.ts";

/**
 * Writes the maps of the user namespace of a process, each with one write(2): `gid_map`, then `uid_map`. Before them `setgroups` is
 * written, where `maps.setgroups` demands that.
 *
 * A map is written once in the life of a namespace. If the second map is refused, the first one stays, so that the namespace is of
 * no use any more. Lines are cut where the user namespace of the writer has several lines, because the kernel takes no line that
 * crosses the end of one of them.
 *
 * newuidmap(1) and newgidmap(1) are looked for in the `PATH` of Node, and then in `/usr/bin`. They get that `PATH`, no other
 * environment, and neither stdin nor stdout.
 *
 * @param target - The process, which is alone in its namespace as a rule: a task, a child, another process, a pidfd of the current
 * task, or a pid in the pid namespace of the current task. Where a helper writes, the process has to be a child of nearfar.
 * @param maps - The maps, and how they are written. A map that is left out stays unwritten.
 * @param options - `by`: the task that writes. It has to be in the user namespace of the target, or in the parent of that one.
 * Default: the task that has cloned `target`, or else Node. `signal`: gives up when aborted, and kills a helper.
 * @throws `EPERM` The map is written already.
 * @throws `EPERM` The writer is in another user namespace than that of the target and its parent, or belongs to another user.
 * @throws `EPERM` The map has more than the writer's own effective id, and the writer has no CAP_SETUID, or CAP_SETGID.
 * @throws `EPERM` The map has an id outside that the user namespace of the writer does not have.
 * @throws `EPERM` The map has the id 0 outside, and neither the writer nor the process that has made the namespace has CAP_SETFCAP.
 * @throws `EPERM` A group map of a writer without CAP_SETGID, and setgroups(2) is not denied.
 * @throws `EPERM` With `setgroups: "deny"` the group map is written already.
 * @throws `EPERM` `/proc` is mounted with `hidepid=1`.
 * @throws `EINVAL` The text of the map is longer than the kernel takes: less than one page, 4096 bytes.
 * @throws `EINVAL` A helper has to write, and the writer has made a pid or time namespace that has no process yet: the helper would be
 * the first one there.
 * @throws `EACCES` The target is not dumpable and no task, and the writer is not root.
 * @throws `ENOENT` `/proc` is missing, hides the process (`hidepid=2`), or belongs to another pid namespace.
 * @throws `ENOENT` There is no newuidmap, or no newgidmap: `error.syscall` is `execve`.
 * @throws `ECHILD` A helper has to write, and the target is no child of nearfar.
 * @throws `ESRCH` The target has ended.
 * @throws `EMFILE` No descriptor is free.
 * @throws `ERR_NEARFAR_ID_MAP_HELPER` The helper has failed, or was killed.
 * @throws `ERR_NEARFAR_THREAD` A helper has to write, and the writer is a thread of Node, which clones nothing.
 * @throws `ERR_NEARFAR_TASK_GONE` The writer has ended.
 * @throws `ABORT_ERR` `options.signal` was aborted. `error.cause` is the reason of the signal.
 * @throws `TypeError` An argument has the wrong type, or a map has no ids.
 * @throws `RangeError` An id or a count is out of its range, or two ranges of a map overlap.
 * @example
 * ```ts
 * await using task = await Task.clone({ namespaces: ["user"], idMap: "none" });
 * const [uid, gid] = [process.geteuid?.() ?? 0, process.getegid?.() ?? 0];
 * await writeIdMap(task, { uids: new IdMap([[0, uid, 1]]), gids: new IdMap([[0, gid, 1]]), setgroups: "deny" });
 * ```
 * @see user_namespaces(7), Linux 3.8; newuidmap(1), newgidmap(1)
 */
export async function writeIdMap(
	target: ProcessLike,
	maps: IdMaps,
	options?: { by?: AnyTask; signal?: AbortSignal },
): Promise<void> {
	const { by, signal } = checkOptions(options, ["by", "signal"]);
	abortSignal(signal);
	if (by !== undefined && !isTask(by)) throw wrongType("options.by", "a Task", by);
	if (maps === undefined) throw wrongType("maps", "an object", maps);
	const checked = checkMaps(maps, "maps");
	throwIfAborted(signal);
	using opened = MapTarget.of(target);
	await writeMaps(opened, checked, by ?? clonerOf(opened), signal);
}

/** Returns the task that has cloned a process, or this process. */
function clonerOf({ child }: MapTarget): AnyTask {
	const cloner = child && trackerOf(child).cloner;
	if (!cloner) return nearTask();
	const task = cloner.deref();
	if (task) return task;
	throw new TaskGoneError(`the task that has cloned ${child} has ended: name another writer in options.by`);
}
