import { readlinkSync } from "node:fs";
import { dropCapabilities } from "@nearfar/caps";
import { type CloneOptions, type FileDescriptor, openat2, Task } from "@nearfar/core";
import { has, isRoot } from "../../../test/needs.ts";

export const arm64 = process.arch === "arm64";

/** Options for a task that may make namespaces: with this user's privilege, or in a new user namespace. */
export const capable: CloneOptions = has("root") ? {} : { namespaces: ["user"], idMap: "root" };

/** Makes a task without any capability, also if root runs the tests. */
export async function powerless(): Promise<Task> {
	const task = await Task.clone();
	if (isRoot) task.run(() => dropCapabilities()); // the task of an ordinary user has no capability
	return task;
}

/** Returns the namespace of a task, read from outside. */
export function namespaceOf(task: Task | "self", name: string): string {
	return readlinkSync(`/proc/${task === "self" ? task : task.pid}/ns/${name}`);
}

/** Opens a file in this process and puts the descriptor into a task. */
export function put(task: Task, path: string): FileDescriptor {
	using near = openat2(path);
	return task.put(near);
}

/** Returns the host name that a task sees. */
export function hostnameIn(task: Task): string {
	return task.run(() => {
		using file = openat2("/proc/sys/kernel/hostname");
		return file.read(65).toString().trimEnd();
	});
}
