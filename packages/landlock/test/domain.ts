// What several tests of domains share: tasks in a domain, and what a call came to.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Process, type SyscallArgument, Task } from "@nearfar/core";
import { type LandlockLevel, type LandlockRules, landlock } from "../src/index.ts";

const numbers = {
	socket: [41, 198],
	connect: [42, 203],
	sendto: [44, 206],
	bind: [49, 200],
	listen: [50, 201],
	truncate: [76, 45],
	inotify_init1: [294, 26],
	inotify_add_watch: [254, 27],
	ioctl: [16, 29],
	kill: [62, 129],
	ptrace: [101, 117],
	statfs: [137, 43],
	setpriority: [141, 140],
	prlimit64: [302, 261],
	utimensat: [280, 88],
	setxattr: [188, 5],
	memfd_create: [319, 279],
	faccessat2: [439, 439],
	mount: [165, 40],
	umount2: [166, 39],
	pivot_root: [155, 41],
	move_mount: [429, 429],
	open_tree: [428, 428],
	mount_setattr: [442, 442],
	fsopen: [430, 430],
	landlock_create_ruleset: [444, 444],
	landlock_add_rule: [445, 445],
} as const;

/** Makes a call by its name in a task, and returns its error, or "ok". */
export function attempt(task: Task<Process>, name: keyof typeof numbers, ...args: SyscallArgument[]): string {
	return outcome(() => task.syscall(numbers[name][process.arch === "arm64" ? 1 : 0], ...args));
}

/** Makes a call that returns a descriptor, and returns its number. The task closes it at its end. */
export function make(task: Task<Process>, name: keyof typeof numbers, ...args: SyscallArgument[]): number {
	return Number(task.syscall(numbers[name][process.arch === "arm64" ? 1 : 0], ...args));
}

/** Returns the error of a call, or "ok". */
export function outcome(fn: () => unknown): string {
	try {
		fn();
		return "ok";
	} catch (error) {
		return (error as NodeJS.ErrnoException).code ?? `${error}`;
	}
}

/** Runs a call in a task, and returns its error, or "ok". */
export function inside(task: Task, fn: () => unknown): string {
	return outcome(() => task.run(() => void fn()));
}

/** Returns a path as bytes with a NUL at the end. */
export function path(text: string): Buffer {
	return Buffer.from(`${text}\0`);
}

/** Clones a task in a domain. On a kernel that lacks a right of the level, the rest is enforced. */
export async function cloneIn(rules: LandlockRules, level: LandlockLevel = { drop: "any" }): Promise<Task> {
	const task = await Task.clone();
	task.run(() => landlock(rules, level));
	return task;
}

/** A new folder that everybody may enter, removed at the end. */
export class Folder implements Disposable {
	readonly path = mkdtempSync(join(tmpdir(), "nearfar-landlock-"));

	/** Returns the path of something in the folder. */
	at(...names: string[]): string {
		return join(this.path, ...names);
	}

	[Symbol.dispose](): void {
		rmSync(this.path, { recursive: true });
	}
}

/** The address of a port on the loopback, as `struct sockaddr_in`. */
export function loopback(port: number): Buffer {
	const address = Buffer.alloc(16);
	address.writeUInt16LE(2, 0); // AF_INET
	address.writeUInt16BE(port, 2);
	address.set([127, 0, 0, 1], 4);
	return address;
}

/** The address of a Unix socket, as `struct sockaddr_un`. A name that begins with NUL is abstract. */
export function unixAddress(name: string): Buffer {
	return Buffer.concat([Buffer.from([1, 0]), Buffer.from(name), ...(name[0] === "\0" ? [] : [Buffer.alloc(1)])]);
}
