import { openat2 } from "../files/files.ts";
import type { SeenMount } from "../obstacles/look.ts";
import { nearTask } from "../target/target.ts";
import type { Answer } from "./features.ts";
import type { Facts } from "./host.ts";
import { refused, type Tasks, Worker } from "./tasks.ts";

/** The controllers that decide which version has the limits: some machines leave only rare ones to cgroup v2. */
const main = ["cpu", "memory", "pids"];

/** Where this process is in the cgroups. */
export interface CgroupPlace {
	/** 2 where cgroup v2 has the controllers, or is alone. 1 where cgroup v1 has them. `undefined`: no cgroups are mounted. */
	readonly version: 1 | 2 | undefined;
	/** The folder of the cgroup of this process in cgroup v2, or its path in the cgroup v1 hierarchies. */
	readonly path: string | undefined;
	/** The controllers that the cgroup has. */
	readonly controllers: string[];
	/** The folder in cgroup v2, if it is mounted in sight. */
	readonly folder: string | undefined;
	/** The controllers that the folder has. */
	readonly inFolder: string[];
}

/**
 * Returns where this process is.
 *
 * @param mounts - The mounts in sight.
 * @param cgroup - The text of `/proc/self/cgroup`.
 * @param read - Reads a file, and returns "" if it cannot be read.
 */
export function findCgroup(mounts: readonly SeenMount[], cgroup: string, read: (path: string) => string): CgroupPlace {
	const folder = findFolder(mounts, /^0::(.*)$/m.exec(cgroup)?.[1]);
	const inV2 = folder === undefined ? [] : read(`${folder}/cgroup.controllers`).split(/\s+/).filter(Boolean);
	const inV1 = [...cgroup.matchAll(/^[1-9]\d*:([^:]*):(.*)$/gm)].filter(([, names = ""]) => !names.startsWith("name="));
	const names = inV1.flatMap(([, names = ""]) => names.split(",")).filter(Boolean);
	const isSplit = main.some((name) => names.includes(name)) && !main.some((name) => inV2.includes(name));
	if (folder !== undefined && !isSplit) return { version: 2, path: folder, controllers: inV2, folder, inFolder: inV2 };
	const version = names.length > 0 ? 1 : undefined;
	return { version, path: folder ?? inV1[0]?.[2], controllers: names, folder, inFolder: inV2 };
}

/** Returns the folder of a cgroup below the first mount of cgroup v2 that shows it. */
function findFolder(mounts: readonly SeenMount[], path: string | undefined): string | undefined {
	return path === undefined ? undefined : foldersOfCgroup(mounts, path)[0];
}

/**
 * Returns the folders of a cgroup, one for each mount of cgroup v2 that shows it.
 *
 * @param mounts - The mounts in sight.
 * @param path - The path of the cgroup, as `/proc/<pid>/cgroup` has it.
 */
export function foldersOfCgroup(mounts: readonly SeenMount[], path: string): string[] {
	if (path.startsWith("/..")) return [];
	return mounts.flatMap(({ root, at: place, fstype }) => {
		if (fstype !== "cgroup2") return [];
		const rest = root === "/" ? path : path === root ? "" : path.startsWith(`${root}/`) && path.slice(root.length);
		return rest === false ? [] : [`${place}${rest === "/" ? "" : rest}`];
	});
}

let count = 0;

/**
 * Tries to clone a task into a new cgroup, which is removed again.
 *
 * @param tasks - Clones the task.
 * @param facts - The facts about the machine.
 */
export async function tryCgroup(tasks: Tasks, facts: Facts): Promise<Answer> {
	const { folder, inFolder } = facts.cgroup;
	// Without the list of mounts nothing is known of cgroups.
	if (folder === undefined) return facts.mounts.length === 0 ? { works: undefined } : { works: false };
	const { mkdirSync } = process.getBuiltinModule("node:fs");
	const path = `${folder}/nearfar-probe-${process.pid}-${++count}`;
	try {
		mkdirSync(path);
	} catch (error) {
		return { works: false, code: (error as NodeJS.ErrnoException).code ?? "EIO", syscall: "mkdir" };
	}
	try {
		using cgroup = nearTask().run(() => openat2(path, { flags: ["path", "directory"] }));
		const worker = new Worker(tasks, { cgroup });
		const answer = await worker.start();
		await worker.end();
		return answer.works ? { ...answer, value: inFolder.join(" ") } : answer;
	} catch (error) {
		return refused(error, "openat2");
	} finally {
		await tasks.end(); // a task that is killed while it is cloned is in the cgroup as well
		await remove(path);
	}
}

/** Removes a cgroup. The kernel answers EBUSY until the last process has left it. */
async function remove(path: string): Promise<void> {
	const { rmdirSync } = process.getBuiltinModule("node:fs");
	for (let attempts = 100; ; attempts--) {
		try {
			return rmdirSync(path);
		} catch (error) {
			if ((error as NodeJS.ErrnoException).code !== "EBUSY" || attempts === 0) throw error;
			await new Promise((resolve) => setTimeout(resolve, 10));
		}
	}
}
