import { readlinkSync } from "node:fs";
import { dropCapabilities } from "@nearfar/caps";
import { type CloneOptions, type FileDescriptor, openat2, Task } from "@nearfar/core";
import { has, isRoot } from "../../../test/needs.ts";

export const arm64 = process.arch === "arm64";

/** A task that may make namespaces: with this user's own privilege, or that of a user namespace. */
export const capable: CloneOptions = has("root") ? {} : { namespaces: ["user"], idMap: "root" };

/** A task without any capability, whoever runs the tests. */
export async function powerless(): Promise<Task> {
	const task = await Task.clone();
	if (isRoot) task.run(() => dropCapabilities()); // an ordinary user's has none
	return task;
}

/** The namespace of a task, as a look from outside shows it. */
export function namespaceOf(task: Task | "self", name: string): string {
	return readlinkSync(`/proc/${task === "self" ? task : task.pid}/ns/${name}`);
}

/** A file that this process can open, as a descriptor of a task. */
export function put(task: Task, path: string): FileDescriptor {
	using near = openat2(path);
	return task.put(near);
}

/** The host name that a task sees. */
export function hostnameIn(task: Task): string {
	return task.run(() => {
		using file = openat2("/proc/sys/kernel/hostname");
		return file.read(65).toString().trimEnd();
	});
}
