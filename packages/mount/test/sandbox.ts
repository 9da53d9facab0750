import {
	chmodSync,
	chownSync,
	mkdirSync,
	mkdtempSync,
	readdirSync,
	readFileSync,
	rmdirSync,
	writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type CloneOptions, type FileDescriptor, openat2, Task } from "@nearfar/core";
import { mount } from "@nearfar/mount";
import { has } from "../../../test/needs.ts";

export const arm64 = process.arch === "arm64";

/** Options for a task with its own mounts, and with the most privilege over them that this user can have. */
export const ownMounts: CloneOptions = has("root")
	? { namespaces: ["mnt"] }
	: { namespaces: ["user", "mnt"], idMap: "root" };

/** A task with mounts of its own and a small tmpfs in them. */
export interface Sandbox extends AsyncDisposable {
	readonly task: Task;
	/** A path in the tmpfs, as the task sees it. */
	inside(name?: string): string;
	/** The same place, as this process sees it. */
	outside(name?: string): string;
	/** Makes a directory in the tmpfs. */
	folder(name: string): string;
	/** Makes a file in the tmpfs. */
	file(name: string, content?: string): string;
}

export async function sandbox(options: CloneOptions = ownMounts): Promise<Sandbox> {
	const scratch = mkdtempSync(join(tmpdir(), "nearfar-"));
	const task = await Task.clone(options);
	task.run(() => {
		mount(null, "/", null, { flags: ["rec", "private"] });
		mount("scratch", scratch, "tmpfs");
	});
	const inside = (name = "") => join(scratch, name);
	const outside = (name = "") => join(`/proc/${task.pid}/root`, scratch, name);
	return {
		task,
		inside,
		outside,
		folder(name) {
			mkdirSync(outside(name), { recursive: true });
			return inside(name);
		},
		file(name, content = "") {
			writeFileSync(outside(name), content);
			return inside(name);
		},
		async [Symbol.asyncDispose]() {
			await task[Symbol.asyncDispose]();
			rmdirSync(scratch);
		},
	};
}

export interface MountLine {
	root: string;
	at: string;
	options: string[];
	/** `shared:1`, `master:1`, … without the numbers. */
	propagation: string[];
	type: string;
	source: string;
	data: string;
}

/** Returns the mounts of a task, read from outside. */
export function mountsOf(task: Task): MountLine[] {
	const text = readFileSync(`/proc/${task.pid}/mountinfo`, "utf8");
	return text
		.trimEnd()
		.split("\n")
		.map((line) => {
			const [before = "", after = ""] = line.split(" - ");
			const [, , , root = "", at = "", options = "", ...optional] = before.split(" ");
			const [type = "", source = "", data = ""] = after.split(" ");
			return { root, at, options: options.split(","), propagation: optional.map(word), type, source, data };
		});
}

function word(field: string): string {
	return field.replace(/:.*/, "");
}

/** Returns the topmost mount at a path. */
export function mountAt(task: Task, path: string): MountLine | undefined {
	return mountsOf(task).findLast(({ at }) => at === path);
}

/** Opens a namespace of a process, as a descriptor of a task. */
export function namespaceFor(task: Task, path: string): FileDescriptor {
	using near = openat2(path);
	return task.put(near);
}

/**
 * Makes a file of user 0 and one of user 5 in a folder that everybody may write to. Returns a user namespace for the task in which user
 * 0 is user 10000 outside, and no other user is mapped.
 */
export async function mappedOwners(box: Sandbox, folder: string): Promise<FileDescriptor> {
	const range = [{ inside: 0, outside: 10_000, count: 1 }];
	await using mapped = await Task.clone({ namespaces: ["user"], idMap: { uids: range, gids: range } });
	for (const owner of [0, 5]) {
		box.file(`${folder}/of-${owner}`);
		chownSync(box.outside(`${folder}/of-${owner}`), owner, owner);
	}
	chmodSync(box.outside(folder), 0o777);
	return namespaceFor(box.task, `/proc/${mapped.pid}/ns/user`);
}

/** Returns what a helper may not change when it fails: the mounts of a task as text, and the number of its descriptors. */
export function traces(task: Task): { mounts: string; descriptors: number } {
	// What this process has closed of the task, such as the pidfd of a child, the task closes with its next call.
	task.run(() => openat2("/", { flags: ["path"] }).close());
	const mounts = readFileSync(`/proc/${task.pid}/mountinfo`, "utf8");
	return { mounts, descriptors: readdirSync(`/proc/${task.pid}/fd`).length };
}

/** Sets the soft limit of the descriptors of a task. The hard limit stays. */
export function limitDescriptors(task: Task, soft: number): void {
	const [SYS_prlimit64, RLIMIT_NOFILE] = [arm64 ? 261 : 302, 7];
	const limits = Buffer.alloc(16);
	task.syscall(SYS_prlimit64, 0, RLIMIT_NOFILE, 0, limits);
	limits.writeBigUInt64LE(BigInt(soft));
	task.syscall(SYS_prlimit64, 0, RLIMIT_NOFILE, limits, 0);
}
