// A place for pins: a small tmpfs in the mount namespace of a task, which ends with the task.
import { mkdtempSync, readdirSync, readFileSync, rmdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type CloneOptions, Task } from "@nearfar/core";
import { mount } from "@nearfar/mount";
import { getrlimit, setrlimit } from "@nearfar/process";
import { has } from "../../../test/needs.ts";

export interface PinBoard extends AsyncDisposable {
	readonly task: Task;
	/** Returns a path on the board, as the task sees it. */
	at(name?: string): string;
	/** Returns the same place, as this process sees it. */
	outside(name?: string): string;
	/** Returns the names on the board. */
	names(): string[];
	/** Returns the places of the pins on the board. */
	mounts(): string[];
	/** Sets how many descriptors the task may have. */
	limit(descriptors: number): void;
}

const options: CloneOptions = has("root")
	? { namespaces: ["mnt", "uts"] }
	: { namespaces: ["user", "mnt", "uts"], idMap: "root" };

export async function pinBoard(): Promise<PinBoard> {
	const folder = mkdtempSync(join(tmpdir(), "nearfar-pins-"));
	const task = await Task.clone(options);
	task.run(() => {
		mount(null, "/", null, { flags: ["rec", "private"] });
		mount("scratch", folder, "tmpfs");
	});
	const outside = (name = "") => join(`/proc/${task.pid}/root`, folder, name);
	return {
		task,
		at: (name = "") => (name === "" ? folder : `${folder}/${name}`),
		outside,
		names: () => readdirSync(outside()).sort(),
		mounts() {
			const lines = readFileSync(`/proc/${task.pid}/mountinfo`, "utf8").matchAll(/^\S+ \S+ \S+ \S+ (\S+) .* - nsfs /gm);
			return [...lines].flatMap(([, at = ""]) => (at.startsWith(`${folder}/`) ? [at] : [])).sort();
		},
		limit: (descriptors) => task.run(() => setrlimit("nofile", { soft: descriptors, hard: getrlimit("nofile").hard })),
		async [Symbol.asyncDispose]() {
			await task[Symbol.asyncDispose]();
			rmdirSync(folder);
		},
	};
}
