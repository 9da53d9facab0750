import { readlinkSync } from "node:fs";
import { dropCapabilities } from "@nearfar/caps";
import { type CloneOptions, type FileDescriptor, type NamespaceKind, openat2, Task } from "@nearfar/core";
import { setDumpable } from "@nearfar/process";
import { has, isRoot } from "../../../test/needs.ts";

export const arm64 = process.arch === "arm64";
export const SYS_ioctl = arm64 ? 29 : 16;

/** The requests of ioctl(2) that open a namespace of the process of a pidfd: PIDFD_GET_CGROUP_NAMESPACE and its kin. */
export const namespaceRequests = Array.from({ length: 10 }, (_, i) => 0xff01 + i);

/** Options for a task that may make namespaces: with this user's privilege, or in a new user namespace. */
export const capable: CloneOptions = has("root") ? {} : { namespaces: ["user"], idMap: "root" };

/** Makes a task that is root in a user namespace of its own, and has these namespaces of its own too. */
export const own = (...more: NamespaceKind[]) => Task.clone({ namespaces: ["user", ...more], idMap: "root" });

/** Makes a task with namespaces of its own, which an ordinary user may look at. */
export async function dumpable(): Promise<Task> {
	const task = await own("mnt", "net", "uts", "pid");
	task.run(() => setDumpable(true));
	return task;
}

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
