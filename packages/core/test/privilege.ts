import { readFileSync } from "node:fs";

/** Whether the tests run as root, with its capabilities. */
export const root = process.getuid?.() === 0;

/** Where cgroup v2 is mounted, and this process may make groups; `undefined`: nowhere. */
export const cgroup2 = root
	? / - cgroup2 /.test(readFileSync("/proc/self/mountinfo", "utf8"))
		? /^\S+ \S+ \S+ \S+ (\S+).* - cgroup2 /m.exec(readFileSync("/proc/self/mountinfo", "utf8"))?.[1]
		: undefined
	: undefined;
