import { readdirSync, readFileSync } from "node:fs";

/** Returns the pids of all processes in `/proc`. */
export function pids(): string[] {
	return readdirSync("/proc").filter((name) => /^\d+$/.test(name));
}

/** Returns the pids of the children of a process. */
export function childPids(parent: number): number[] {
	return pids()
		.filter((pid) => stat(pid)?.parent === parent)
		.map(Number);
}

/** Returns the pids of the children of a process, of their children, and so on. */
export function descendants(parent: number): number[] {
	return childPids(parent).flatMap((pid) => [pid, ...descendants(pid)]);
}

/** Returns a line for each thread of a process: its name, its state, and where the kernel has it wait. */
export function describeThreads(pid: number): string {
	const of = (thread: string) => {
		const place = `/proc/${pid}/task/${thread}`;
		const [name, wait, call] = ["comm", "wchan", "syscall"].map((file) => read(`${place}/${file}`).trim());
		return `  ${thread} ${name} ${stat(thread)?.state} ${wait} ${call}`;
	};
	return [`${pid} (child of ${stat(pid)?.parent})`, ...threadsOf(pid).map(of)].join("\n");
}

function threadsOf(pid: number): string[] {
	try {
		return readdirSync(`/proc/${pid}/task`);
	} catch {
		return []; // the process has ended meanwhile
	}
}

/**
 * Returns the children of a process as `"pid (name) state"`. A zygote is `"zygote"` until it is a zombie, because a new one may replace
 * it. A process that runs or waits `"lives"`: which of both may change between two looks.
 */
export function children(parent: number): string[] {
	const all = pids()
		.map(stat)
		.filter((line) => line !== undefined);
	const ours = all.filter((line) => line.parent === parent);
	return ours.map((process) => {
		const { pid, name, state } = process;
		if (isZygote(process)) return "zygote";
		return `${pid} (${name}) ${/[RSD]/.test(state) ? "lives" : state}`;
	});
}

interface Stat {
	pid: string;
	name: string;
	state: string;
	parent: number;
	/** PF_EXITING and the others of `include/linux/sched.h`. */
	flags: number;
}

/** Returns the fields of `/proc/<pid>/stat` that tests need, or `undefined` if no process has the pid. */
export function stat(pid: string | number): Stat | undefined {
	const line = stat.line(pid);
	const [, name = "", state = "", parent, flags] = /^\d+ \((.*)\) (\S) (\d+)(?: \S+){4} (\d+)/s.exec(line) ?? [];
	return line === "" ? undefined : { pid: `${pid}`, name, state, parent: Number(parent), flags: Number(flags) };
}

/** Returns whether a process has not ended. A zombie has. */
export function isAlive(pid: string | number): boolean {
	return !["Z", "X", undefined].includes(stat(pid)?.state);
}

/** Returns the text of `/proc/<pid>/stat`, or `""` if no process has the pid. */
stat.line = (pid: string | number): string => read(`/proc/${pid}/stat`);

/** A task is cloned from the zygote, and has its name and its command line. But the zygote alone has executed the stub. */
function isZygote({ pid, name, state, flags }: Stat): boolean {
	const PF_FORKNOEXEC = 0x40;
	if (flags & PF_FORKNOEXEC || state === "Z") return false;
	// The kernel shows no command line of a process that is ending.
	return name === "memfd:nearfar" || read(`/proc/${pid}/cmdline`).startsWith("nearfar-zygote");
}

/** Returns the text of a file of `/proc`, or `""` if the process is gone. */
export function read(path: string): string {
	try {
		return readFileSync(path, "utf8");
	} catch {
		return ""; // the process has ended meanwhile
	}
}
