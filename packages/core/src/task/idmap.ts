import { prctlOptions } from "../addon/flags.generated.ts";
import { native } from "../addon/native.ts";
import { array, id, integer, options, wrongValue } from "../arguments.ts";
import { FileDescriptor } from "../files/descriptor.ts";
import { openat2 } from "../files/files.ts";
import { Location } from "../files/location.ts";
import { openProcessFolder } from "../files/pidfd.ts";
import { sharersOf } from "../identity.ts";
import type { IdMapping } from "../idmap/mapping.ts";
import type { ChildProcess } from "../process/child.ts";
import { trackerOf } from "../process/child-tracker.ts";
import { SyscallError } from "../syscall-error.ts";
import { type AnyTask, nearTask, withFile } from "../target/target.ts";
import type { Task } from "./task.ts";

/** Maps for user ids and group ids. */
export interface IdMaps {
	/** User ids. */
	uids: readonly IdMapping[];
	/** Group ids. */
	gids: readonly IdMapping[];
}

const EXTENTS = 340; // the kernel's limit
const CAP_SETGID = 6n;

/** Checks maps as the kernel would, with errors that say more than EINVAL. Returns the texts to write. */
export function checkMaps(maps: IdMaps): { uids: string; gids: string } {
	const { uids, gids } = options(maps, ["uids", "gids"], "options.idMap");
	return { uids: mapText(uids, "options.idMap.uids"), gids: mapText(gids, "options.idMap.gids") };
}

function mapText(map: readonly IdMapping[], name: string): string {
	const lines = array(map, name).map((mapping, index) => {
		const { inside, outside, count } = options(mapping, ["inside", "outside", "count"], `${name}[${index}]`);
		integer(count, `${name}[${index}].count`, 1, 2 ** 32 - 1 - Math.max(inside, outside));
		return `${id(inside, `${name}[${index}].inside`)} ${id(outside, `${name}[${index}].outside`)} ${count}\n`;
	});
	if (lines.length === 0 || lines.length > EXTENTS) throw wrongValue(name, `an array of 1 to ${EXTENTS} mappings`, map);
	return lines.join("");
}

/**
 * Returns the ids inside if a new task of this process may write the maps itself: one id each, which has to be the effective id
 * of this process. The kernel then asks for no privilege, but for setgroups(2) to be denied. Node with CAP_SETGID writes the maps
 * from outside instead, so that the namespace keeps setgroups(2).
 */
export function ownMap({ uids, gids }: IdMaps): [uid: number, gid: number] | undefined {
	const [[user, ...users], [group, ...groups]] = [uids, gids];
	if (!user || !group || users.length + groups.length > 0 || user.count + group.count !== 2) return undefined;
	const [uid, gid, [effective = 0n]] = nearTask().run(() => [
		native().geteuid(),
		native().getegid(),
		native().capget(0),
	]);
	const own = user.outside === uid && group.outside === gid && !hasSetgid(effective);
	return own ? [user.inside, group.inside] : undefined;
}

function hasSetgid(effective: bigint): boolean {
	return (effective & (1n << CAP_SETGID)) !== 0n;
}

/**
 * Writes the maps of a new user namespace from outside.
 *
 * @param task - The first process of the namespace, and the only one yet.
 * @param maps - The texts to write.
 * @param parent - The task that has cloned the process, and now writes the maps. Default: this process writes them. The
 * credentials of the writer decide what is allowed, and the ids outside belong to the writer's user namespace.
 */
export function writeMaps(
	task: Task,
	{ uids, gids }: { uids: string; gids: string },
	parent: AnyTask | undefined,
): void {
	using near = openInProc(task.process);
	// The /proc of the task may be missing, or be that of another pid namespace.
	using far = parent?.put(near);
	const folder = far ?? near;
	const writer = sharersOf(folder.table).pickTask();
	const [effective = 0n] = writer.run(() => native().capget(0));
	const texts: [name: string, text: string][] = [
		["gid_map", gids],
		["uid_map", uids],
	];
	// Without the capability the kernel accepts a group map only after setgroups(2) was denied.
	if (!hasSetgid(effective)) texts.unshift(["setgroups", "deny"]);
	const files: { file: FileDescriptor; path: string; text: string }[] = [];
	const openAll = () => {
		for (const [name, text] of texts.slice(files.length)) {
			const path = `/proc/${task.pid}/${name}`;
			const open = () => openat2(new Location(folder, name), { flags: ["wronly"] });
			files.push({ file: writer.run(() => withFile(path, open)), path, text });
		}
	};
	try {
		if (!(writer.isNear && isRoot() && succeeds(openAll))) whileDumpable(task, openAll);
		writer.run(() => {
			for (const { file, path, text } of files) withFile(path, () => file.write(text));
		});
	} finally {
		for (const { file } of files) file.close();
	}
}

/** True when this process is root of its user namespace, and so owns the files in /proc of a task that is not dumpable. */
function isRoot(): boolean {
	return nearTask().run(() => native().geteuid()) === 0;
}

/** Calls `fn`. Returns false if the kernel refuses a call of `fn`. */
function succeeds(fn: () => void): boolean {
	try {
		fn();
		return true;
	} catch (error) {
		if (!(error instanceof SyscallError)) throw error;
		return false;
	}
}

/** Opens `/proc/<pid>` of a child. */
export function openInProc(child: ChildProcess): FileDescriptor {
	const tracker = trackerOf(child);
	const number = native().childPidfd(tracker.id);
	if (number < 0) tracker.throwGone("map the ids of");
	using pidfd = nearTask().run(() => FileDescriptor.from(number));
	const folder = openProcessFolder(pidfd.fd);
	if (folder) return folder;
	const hint = "/proc belongs to a pid namespace in which the task is not visible, or the task has died";
	throw new SyscallError(
		{ code: "ESRCH", errno: 3, syscall: "openat2", of: child.toString() },
		{ path: "/proc", hint },
	);
}

/**
 * Calls `fn` while a task is dumpable. The files in /proc of a task that is not dumpable are root's, and their owner has
 * to open them.
 */
function whileDumpable(task: AnyTask, fn: () => void): void {
	const set = (value: number) => task.run(() => native().setPrctl(prctlOptions.setDumpable, [value]));
	const before = task.run(() => native().prctl(prctlOptions.getDumpable, []).result);
	set(1);
	try {
		fn();
	} finally {
		set(before === 1n ? 1 : 0);
	}
}
