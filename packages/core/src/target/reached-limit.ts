// Which of the limits on processes and threads is reached. clone(2) answers EAGAIN for each of them.
import { capabilities } from "../addon/flags.generated.ts";
import { findCgroups } from "./cgroups.ts";
import { readBounded } from "./read-bounded.ts";

const ALL = "RLIMIT_NPROC, pids.max of a cgroup, kernel.threads-max or kernel.pid_max";
const RESERVED_PIDS = 300; // the kernel never reuses the pids below
const MOST_PROCESSES = 4096; // to look at more of them would block the event loop for a tenth of a second

/**
 * Returns the reason of an EAGAIN of clone(2), in words.
 *
 * @param folder - `/proc/self`, or another path of the folder of the process that was to clone.
 * @param cgroup - The path of the cgroup in which the new process was to begin. Default: the cgroup of the process.
 */
export function reachedLimit(folder: string, cgroup?: string): string {
	try {
		const reached = fullCgroup(folder, cgroup) ?? fullKernel() ?? fullUser(folder);
		return `a limit on processes is reached: ${reached ?? ALL}`;
	} catch {
		// A file of /proc has another form than today's. The error of the clone is the one to report.
		return `a limit on processes is reached: ${ALL}`;
	}
}

function fullCgroup(folder: string, cgroup: string | undefined): string | undefined {
	for (const path of findCgroups(folder, cgroup)) {
		const most = wholeNumber(readBounded(`${path}/pids.max`));
		if (most !== undefined && Number(readBounded(`${path}/pids.current`)) >= most)
			return `pids.max of ${path} (${most})`;
	}
	return undefined;
}

function fullKernel(): string | undefined {
	const threads = wholeNumber(/\/(\d+) /.exec(readBounded("/proc/loadavg"))?.[1]) ?? 0;
	const most = (name: string) => wholeNumber(readBounded(`/proc/sys/kernel/${name}`)) ?? Number.POSITIVE_INFINITY;
	if (threads >= most("threads-max")) return `kernel.threads-max (${most("threads-max")})`;
	if (threads >= most("pid_max") - RESERVED_PIDS) return `kernel.pid_max (${most("pid_max")})`;
	return undefined;
}

function fullUser(folder: string): string | undefined {
	const most = wholeNumber(/^Max processes\s+(\S+)/m.exec(readBounded(`${folder}/limits`))?.[1]);
	const status = readBounded(`${folder}/status`);
	const user = field(status, "Uid");
	if (most === undefined || user === undefined || isExempt(folder, status)) return undefined;
	const text = `RLIMIT_NPROC (${most}) of user ${user}`;
	return threadsOf(user, most) >= most ? text : `perhaps ${text}; ${ALL.replace("RLIMIT_NPROC, ", "")}`;
}

/** Returns whether the limit of processes does not bind: for user 0, and for two capabilities in the first user namespace. */
function isExempt(folder: string, status: string): boolean {
	if (!/^\s*0\s+0\s+4294967295\s*$/.test(readBounded(`${folder}/uid_map`))) return false;
	const effective = BigInt(`0x${field(status, "CapEff") ?? 0}`);
	const has = (capability: number) => ((effective >> BigInt(capability)) & 1n) === 1n;
	return field(status, "Uid") === "0" || has(capabilities.sysAdmin) || has(capabilities.sysResource);
}

/** Returns how many threads a user has. Counts up to `most` of them, in the processes that `/proc` shows. */
function threadsOf(user: string, most: number): number {
	const proc = process.getBuiltinModule("node:fs").opendirSync("/proc");
	try {
		let threads = 0;
		for (let seen = 0; seen < MOST_PROCESSES && threads < most; ) {
			const entry = proc.readSync();
			if (!entry) break;
			if (!/^\d+$/.test(entry.name)) continue;
			seen++;
			const status = readBounded(`/proc/${entry.name}/status`);
			if (field(status, "Uid") === user) threads += Number(field(status, "Threads") ?? 0);
		}
		return threads;
	} finally {
		proc.closeSync();
	}
}

/** Returns the first value of a line of `/proc/<pid>/status`. */
function field(status: string, name: string): string | undefined {
	return new RegExp(`^${name}:\\s+(\\w+)`, "m").exec(status)?.[1];
}

function wholeNumber(text: string | undefined): number | undefined {
	return text !== undefined && /^\d+\s*$/.test(text) ? Number(text) : undefined;
}
