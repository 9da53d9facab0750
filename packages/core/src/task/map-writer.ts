import { capabilities } from "../addon/flags.generated.ts";
import { native } from "../addon/native.ts";
import type { FileDescriptor } from "../files/descriptor.ts";
import { openat2 } from "../files/files.ts";
import { Location } from "../files/location.ts";
import { IdMap } from "../idmap/id-map.ts";
import { hintForMap } from "../obstacles/map-hint.ts";
import { hasCapability } from "../process/capability-bits.ts";
import { SyscallError } from "../syscall-error.ts";
import { explained } from "../target/explained.ts";
import { type AnyTask, nearTask, withFile } from "../target/target.ts";
import { whileDumpable } from "./dumpable.ts";
import { refuseFirstChild } from "./first-child.ts";
import type { CheckedMaps } from "./idmap.ts";
import { type HelperName, runMapHelper } from "./map-helper.ts";
import type { MapTarget } from "./map-target.ts";

type FileName = "setgroups" | "gid_map" | "uid_map";

/** One file of a user namespace that is to be written, in the order of the kernel's rules. */
interface Step {
	readonly name: FileName;
	/** What is written into the file. */
	readonly content: IdMap | "deny";
	/** True when the writer writes the file itself. Otherwise a helper does. */
	readonly direct: boolean;
}

const helpers = { gid_map: "newgidmap", uid_map: "newuidmap" } as const satisfies Partial<Record<FileName, HelperName>>;

/**
 * Writes the maps of a user namespace from outside. If the second map is refused, the first one stays.
 *
 * Every file that the writer writes itself is open before the first call that changes something.
 *
 * @param target - A process in the namespace. The writer that has its directory in `/proc` writes to no other process.
 * @param maps - The maps.
 * @param by - The task whose credentials decide what is allowed. The ids outside belong to the user namespace of this task.
 * @param signal - Gives up when aborted, and kills a helper.
 */
export async function writeMaps(
	target: MapTarget,
	maps: CheckedMaps,
	by: AnyTask,
	signal: AbortSignal | undefined,
): Promise<void> {
	const steps = planSteps(maps, by);
	const byHelper = steps.find(({ direct }) => !direct);
	if (byHelper) refuseFirstChild(by, "clone", target.pathOf(byHelper.name));
	const direct = steps.filter(({ direct }) => direct).map(({ name }) => name);
	const files = direct.length > 0 ? openFiles(target, direct, by) : new Map<FileName, FileDescriptor>();
	try {
		for (const { name, content } of steps) {
			const path = target.pathOf(name);
			const file = files.get(name);
			const write = (to: FileDescriptor) => by.run(() => withFile(path, () => to.write(`${content}`)));
			if (file) explainMap(target, name, content, by, () => write(file));
			else if (name !== "setgroups") {
				await runMapHelper(helpers[name], content as IdMap, { target, path, by, signal });
			}
		}
	} finally {
		for (const file of files.values()) file.close();
	}
}

/** Runs `fn`, which opens or writes a file of the target. The error says which rule of the kernel the call has broken. */
function explainMap<T>(target: MapTarget, name: FileName, content: IdMap | "deny", by: AnyTask, fn: () => T): T {
	const folder = `/proc/self/fd/${target.folder.fd}`;
	return explained(fn, (refusal) => hintForMap(refusal, { folder, name, content, by }));
}

/** Decides for each map whether the writer or a helper writes the map. A refusal later does not change the decision. */
function planSteps({ uids, gids, helper, setgroups }: CheckedMaps, by: AnyTask): Step[] {
	const [effective = 0n] = by.run(() => native().capget(0));
	const can = (capability: number) => hasCapability(effective, capability);
	const isDirect = (map: IdMap, capability: number, own: () => number) =>
		helper === "never" || (helper === "auto" && (can(capability) || isOwnId(map, by, own)));
	const gidsDirect = gids !== undefined && isDirect(gids, capabilities.setgid, () => native().getegid());
	const uidsDirect = uids !== undefined && isDirect(uids, capabilities.setuid, () => native().geteuid());
	// Without CAP_SETGID the kernel accepts a group map only after setgroups(2) was denied.
	const denied = setgroups === "deny" || (setgroups === "auto" && gidsDirect && !can(capabilities.setgid));
	return [
		...(denied ? [{ name: "setgroups", content: "deny", direct: true } as const] : []),
		...(gids ? [{ name: "gid_map", content: cut(gids, "gids", by), direct: gidsDirect } as const] : []),
		...(uids ? [{ name: "uid_map", content: cut(uids, "uids", by), direct: uidsDirect } as const] : []),
	];
}

/** Cuts the lines of a map where the lines of the writer's own user namespace end: the kernel takes no line that crosses such an end. */
function cut(map: IdMap, ids: "uids" | "gids", by: AnyTask): IdMap {
	if (map.mappings.every(({ count }) => count === 1)) return map;
	const parent = nearTask().run(() => IdMap.of(by, ids)); // the writer's own /proc may be missing
	try {
		return map.cutBy(parent);
	} catch (error) {
		// The writer's user namespace does not have one of the ids outside. The kernel says so, with the path of the file.
		if (error instanceof RangeError) return map;
		throw error;
	}
}

/** Returns whether a map has a single id, and outside that is the effective id of the writer. */
function isOwnId({ count, mappings: [line] }: IdMap, by: AnyTask, own: () => number): boolean {
	return count === 1 && line?.outside === by.run(own);
}

/** Opens the files that the writer writes itself. If one cannot be opened, none stays open. */
function openFiles(target: MapTarget, names: readonly FileName[], by: AnyTask): Map<FileName, FileDescriptor> {
	// The /proc of the writer may be missing, or be that of another pid namespace. So the writer gets Node's directory.
	using copy = by.isNear ? undefined : by.put(target.folder);
	const folder = copy ?? target.folder;
	const files = new Map<FileName, FileDescriptor>();
	const openAll = () => {
		for (const name of names) {
			if (files.has(name)) continue;
			const open = () => openat2(new Location(folder, name), { flags: ["wronly"] });
			files.set(
				name,
				explainMap(target, name, "deny", by, () => by.run(() => withFile(target.pathOf(name), open))),
			);
		}
	};
	try {
		const { task } = target;
		// Root owns the files of a task that is not dumpable, and opens them without a message to the task.
		if (!task) openAll();
		else if (!(by.isNear && isRoot() && succeeds(openAll))) whileDumpable(task, openAll);
		return files;
	} catch (error) {
		for (const file of files.values()) file.close();
		throw error;
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
