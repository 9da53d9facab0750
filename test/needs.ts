import { readFileSync } from "node:fs";
import { release } from "node:os";
import { Task } from "@nearfar/core";

/** Whether the tests run as root, with its capabilities. */
export const root = process.getuid?.() === 0;

/** Where cgroup v2 is mounted; `undefined`: nowhere. */
export const unified = /^\S+ \S+ \S+ \S+ (\S+).* - cgroup2 /m.exec(readFileSync("/proc/self/mountinfo", "utf8"))?.[1];

/** The same, where this process may make groups. */
export const cgroup2 = root ? unified : undefined;

/** Whether the kernel is at least this one. */
export function linux(major: number, minor: number): boolean {
	const [ours = 0, second = 0] = release().split(".").map(Number);
	return ours > major || (ours === major && second >= minor);
}

/** Whether the kernel has Landlock, and it is not switched off. */
export const landlock = landlockVersion() > 0;

function landlockVersion(): number {
	try {
		return Number(Task.near.syscall(444, 0, 0, 1)); // landlock_create_ruleset(2), LANDLOCK_CREATE_RULESET_VERSION
	} catch {
		return 0;
	}
}
