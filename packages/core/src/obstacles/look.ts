// Readers of the values that explain a refusal. The files below /proc/<pid> are read by this process, from outside: that works while
// the task is busy, stopped, or under a filter. A value is `undefined` if it cannot be read.

import { native } from "../addon/native.ts";
import { environmentVariable } from "../environment.ts";
import type { FileDescriptor } from "../files/descriptor.ts";
import { openProcessFolder } from "../files/pidfd.ts";
import { ChildProcess } from "../process/child.ts";
import { trackerOf } from "../process/child-tracker.ts";
import { readBounded } from "../target/read-bounded.ts";
import { type AnyTask, nearTask } from "../target/target.ts";
import { stateOf, threadId } from "../task/state.ts";

/** Which ids a map is for. */
export type Ids = "uids" | "gids";

/** A part of `/proc/<pid>/status`. The ids are those that this process sees. */
export interface Status {
	/** The state of the thread: `R`, `S`, `D`, `T`, `t`, `Z` or `X`. */
	readonly state: string;
	/** The effective user id. */
	readonly uid: number;
	/** The effective group id. */
	readonly gid: number;
	/** The effective capabilities, and the text of the set. */
	readonly effective: bigint;
	readonly effectiveText: string;
	/** The text of the bounding set. */
	readonly boundingText: string | undefined;
	/** 0: no seccomp, 1: strict, 2: at least one filter. */
	readonly seccomp: number;
	/** The number of filters (Linux 5.9). */
	readonly filters: number | undefined;
	readonly noNewPrivs: boolean;
}

/**
 * Calls `fn` with the path of the folder in `/proc` of the thread that makes the calls of a task. Returns `undefined` if `/proc` does
 * not show the task, or if the task has ended.
 */
export function withFolder<T>(task: AnyTask, fn: (folder: string) => T): T | undefined {
	const tid = threadId(task);
	if (tid !== undefined) return fn(`/proc/self/task/${tid}`);
	if (!(task.process instanceof ChildProcess)) return fn("/proc/thread-self");
	using folder = openFolder(task.process);
	return folder && fn(`/proc/self/fd/${folder.fd}`);
}

function openFolder(child: ChildProcess): FileDescriptor | undefined {
	const number = native().childPidfd(trackerOf(child).id);
	if (number < 0) return undefined;
	return nearTask().run(() => {
		try {
			return openProcessFolder(number);
		} finally {
			native().close(number);
		}
	});
}

/** Returns the text of a file in the folder of a task in `/proc`. */
export function readOfTask(task: AnyTask, name: string): string | undefined {
	return withFolder(task, (folder) => readBounded(`${folder}/${name}`)) || undefined;
}

/** Returns what `/proc/<pid>/status` says of a task. */
export function statusOf(task: AnyTask): Status | undefined {
	const text = readOfTask(task, "status");
	return text === undefined ? undefined : parseStatus(text);
}

/** Returns what the text of `/proc/<pid>/status` says. */
export function parseStatus(text: string): Status {
	const words = (name: string) => new RegExp(`^${name}:[ \\t]+(.+)$`, "m").exec(text)?.[1]?.split(/\s+/) ?? [];
	const [effectiveText = "0"] = words("CapEff");
	const [filters] = words("Seccomp_filters");
	return {
		state: words("State")[0] ?? "",
		uid: Number(words("Uid")[1]),
		gid: Number(words("Gid")[1]),
		effective: BigInt(`0x${effectiveText}`),
		effectiveText,
		boundingText: words("CapBnd")[0],
		seccomp: Number(words("Seccomp")[0] ?? 0),
		filters: filters === undefined ? undefined : Number(filters),
		noNewPrivs: words("NoNewPrivs")[0] === "1",
	};
}

/** Returns the effective capabilities of a task. The kernel tells them without `/proc` as well. */
export function effectiveOf(task: AnyTask): Pick<Status, "effective" | "effectiveText"> | undefined {
	const status = statusOf(task);
	if (status) return status;
	const pid = task.process instanceof ChildProcess ? task.process.pid : 0;
	const [effective = 0n] = nearTask().run(() => native().capget(pid));
	return { effective, effectiveText: effective.toString(16).padStart(16, "0") };
}

/** Returns the map of a task's user namespace, as this process sees it. An empty text: no map was written. */
export function idMapOf(task: AnyTask, ids: Ids): string | undefined {
	const name = ids === "uids" ? "uid_map" : "gid_map";
	return withFolder(task, (folder) => readBounded(`${folder}/${name}`));
}

/** Returns the lines of a map of ids: inside, outside, count. */
export function parseMap(text: string): [inside: number, outside: number, count: number][] {
	const lines = [...text.matchAll(/^\s*(\d+)\s+(\d+)\s+(\d+)\s*$/gm)];
	return lines.map(([, ...numbers]) => numbers.map(Number) as [number, number, number]);
}

/**
 * Returns the effective ids of a task that its user namespace does not map, as `uid 1000`. Such a task cannot make a user namespace.
 *
 * The ids and the right column of the maps are ids of this process's user namespace, unless the task is in that one.
 */
export function unmappedIds(task: AnyTask, status: Status): string[] {
	const column = stateOf(task).kinds.has("user") ? 1 : 0;
	return unmappedIn(status, idMapOf(task, "uids"), idMapOf(task, "gids"), column);
}

/**
 * Returns the ids that maps do not have, as `uid 1000`.
 *
 * @param column - The column of the maps in which the ids are looked for: 0 inside, 1 outside.
 */
export function unmappedIn(
	{ uid, gid }: Pick<Status, "uid" | "gid">,
	uidMap: string | undefined,
	gidMap: string | undefined,
	column: 0 | 1 = 0,
): string[] {
	const isMapped = (id: number, map: string | undefined) =>
		map === undefined || parseMap(map).some((line) => line[column] <= id && id < line[column] + line[2]);
	return [...(isMapped(uid, uidMap) ? [] : [`uid ${uid}`]), ...(isMapped(gid, gidMap) ? [] : [`gid ${gid}`])];
}

/** A mount, as a line of `/proc/<pid>/mountinfo` has it. */
export interface SeenMount {
	/** The folder of the file system that is mounted. */
	readonly root: string;
	readonly at: string;
	readonly fstype: string;
	/** True when the mount is read-only. */
	readonly readOnly: boolean;
	/** True when the mount has `nosuid`. */
	readonly nosuid: boolean;
	/** True when the mount has peers. */
	readonly shared: boolean;
}

/** Returns the mounts that a task reaches from its root, in the order of mounting. */
export function mountsOf(task: AnyTask): SeenMount[] | undefined {
	const text = withFolder(task, (folder) => {
		// From an empty directory as its root a task reaches no mount, and the text is empty.
		const isShown = readBounded(`${folder}/status`) !== "";
		return isShown ? readBounded(`${folder}/mountinfo`) : undefined;
	});
	return text === undefined ? undefined : parseMounts(text);
}

/** Returns the mounts that the text of a `mountinfo` names, in its order. */
export function parseMounts(text: string): SeenMount[] {
	return [...text.matchAll(/^\S+ \S+ \S+ (\S+) (\S+) (\S+) (.*)- (\S+) /gm)].map(
		([, root = "", at = "", flags = "", fields = "", fstype = ""]) => ({
			root: plain(root),
			at: plain(at),
			fstype,
			readOnly: flags.split(",").includes("ro"),
			nosuid: flags.split(",").includes("nosuid"),
			shared: /(^| )shared:/.test(fields),
		}),
	);
}

function plain(path: string): string {
	return path.replaceAll(/\\(\d{3})/g, (_, octal) => String.fromCharCode(Number.parseInt(octal, 8)));
}

/** Returns the innermost mount that holds a path. Of two mounts at one place the later one is on top. */
export function mountThatHolds(path: string, mounts: readonly SeenMount[]): SeenMount | undefined {
	return mounts
		.filter(({ at }) => at === "/" || path === at || path.startsWith(`${at}/`))
		.sort((one, other) => one.at.length - other.at.length)
		.at(-1);
}

/**
 * Returns false if the root directory of a task is not the root of a mount, as after chroot(2). The root can be the root of a mount
 * and still not be the one of the mount namespace.
 */
export function isRootMount(task: AnyTask): boolean | undefined {
	const mounts = mountsOf(task);
	return mounts?.some(({ at }) => at === "/");
}

/** The folders of procfs and sysfs that are always empty. A mount on them, or in the mount on them, hides nothing. */
const EMPTY =
	/^\/proc\/(sys\/fs\/binfmt_misc|fs\/nfsd)$|^\/sys\/fs\/([^/]+|fuse\/connections|cgroup\/.*)$|^\/sys\/kernel\/(debug|tracing|security|config)$|^\/sys\/firmware\/efi\/efivars$/;

/** Returns the places below `/proc` or `/sys` that a mount covers, for which the kernel refuses a new instance. */
export function coversBelow(mounts: readonly SeenMount[], fstype: "proc" | "sysfs"): string[] {
	const folders = mounts.filter((mount) => mount.fstype === fstype && mount.root === "/").map(({ at }) => at);
	const places = mounts.map(({ at }) => at).filter((at) => folders.some((folder) => at.startsWith(`${folder}/`)));
	return [...new Set(places)].filter((at) => !EMPTY.test(at));
}

/** Returns how many processes `/proc` shows. */
function processesInSight(): number {
	return process
		.getBuiltinModule("node:fs")
		.readdirSync("/proc")
		.filter((name) => /^\d+$/.test(name)).length;
}

/** No user has as many namespaces. A new user namespace begins with 2147483647 as its limit. */
const IMPLAUSIBLE = 2 ** 20;

/** Returns whether a limit of namespaces is clearly not reached: there are far fewer processes than the limit allows namespaces. */
export function isUnreached(limit: number): boolean {
	return limit >= IMPLAUSIBLE || processesInSight() < limit / 2;
}

/** Returns the signs that this process runs in a container, on which the fixes for an obstacle depend. */
export function signsOfContainer(): string[] {
	const { existsSync } = process.getBuiltinModule("node:fs");
	const container = environmentVariable("container");
	return [
		...["/.dockerenv", "/run/.containerenv"].filter((path) => existsSync(path)),
		...(container ? [`$container=${container}`] : []),
		...(environmentVariable("KUBERNETES_SERVICE_HOST") ? ["$KUBERNETES_SERVICE_HOST"] : []),
	];
}
