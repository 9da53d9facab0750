import { readFileSync } from "node:fs";
import { release } from "node:os";

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
