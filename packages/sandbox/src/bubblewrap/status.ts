import { readSync, writeSync } from "node:fs";
import { type FileDescriptor, Location, type NamespaceKind, statx, type Task } from "@nearfar/core";

import { Failure, reasonOf } from "./failure.ts";

const reported = ["cgroup", "ipc", "mnt", "net", "pid", "uts"] as const;

/**
 * Writes which process is the first one of the sandbox, and which namespaces it has of its own.
 *
 * @param procfs - The folder `/proc` of the host, as a descriptor of the task: the task itself looks, which may.
 */
export function report(
	init: Task,
	procfs: FileDescriptor,
	own: ReadonlySet<NamespaceKind>,
	infoFd: number | undefined,
	statusFd: number | undefined,
): void {
	const lines = [`"child-pid": ${init.pid}`];
	for (const kind of reported) {
		if (kind !== "mnt" && !own.has(kind)) continue;
		const { ino } = init.run(() => statx(new Location(procfs, `self/ns/${kind}`)));
		lines.push(`"${kind}-namespace": ${ino}`);
	}
	if (infoFd !== undefined) write(infoFd, `{\n    ${lines.join(",\n    ")}\n}\n`);
	if (statusFd !== undefined) write(statusFd, `{ ${lines.join(", ")} }\n`);
}

/** Writes what the command has come to. Whoever wanted to know that may be gone. */
export function reportExit(code: number, statusFd: number | undefined): void {
	if (statusFd === undefined) return;
	try {
		writeSync(statusFd, `{ "exit-code": ${code} }\n`);
	} catch (error) {
		if ((error as NodeJS.ErrnoException).code === undefined) throw error;
	}
}

function write(fd: number, text: string): void {
	try {
		writeSync(fd, text);
	} catch (error) {
		throw new Failure(`Write to info_fd: ${reasonOf(error)}`);
	}
}

/** Waits until something can be read from a descriptor, or its other end is closed. */
export function awaitByte(fd: number | undefined): void {
	if (fd === undefined) return;
	try {
		readSync(fd, Buffer.alloc(1));
	} catch (error) {
		if ((error as NodeJS.ErrnoException).code === undefined) throw error; // bubblewrap goes on, whatever the error is
	}
}
