import type { Directory } from "./directory.ts";

/** What a cgroup uses, with everything below it. A part whose controller is not here is absent. */
export interface CgroupStat {
	/** Memory, in bytes. Absent in the root of all cgroups. */
	memory?: {
		/** What is used now. */
		current: number;
		/** The most that was used (Linux 5.19). */
		peak?: number;
		/** The swap that is used now. Absent: a kernel without swap. */
		swap?: number;
		/** How often a limit was met. */
		events: MemoryEvents;
	};
	/** Processes and threads. */
	pids?: {
		/** How many there are. */
		current: number;
		/** The most that there were (Linux 6.12). */
		peak?: number;
		/** How many clones the limit has refused. */
		max: number;
	};
	/** The time on the processors, in milliseconds. */
	cpu: {
		/** All of it. */
		usage: number;
		/** In the programs. */
		user: number;
		/** In the kernel, for the programs. */
		system: number;
		/** How long the limit made the processes wait. Absent without the controller. */
		throttled?: number;
		/** How many periods of the limit there were. Absent without the controller. */
		periods?: number;
	};
}

/** How often something has happened to the memory of a cgroup, or of one below: totals since it was made. */
export interface MemoryEvents {
	/** Memory was reclaimed although the group has less than `low`. */
	low: number;
	/** Processes were slowed down because the group has more than `high`. */
	high: number;
	/** The group was about to have more than `max`. */
	max: number;
	/** Reclaiming was not enough. Counts where the limit was met, and above, but not below. */
	oom: number;
	/** A process was killed for lack of memory. */
	oomKill: number;
	/** All processes of a group were killed for lack of memory (Linux 5.17). */
	oomGroupKill?: number;
}

/** Reads what a directory uses. */
export function readStat(directory: Directory): CgroupStat {
	const text = (file: string) => directory.readIfThere(file);
	const stat: CgroupStat = { cpu: readCpu(text("cpu.stat")) };
	const [memory, events] = [number(text("memory.current")), text("memory.events")];
	if (memory !== undefined && events !== undefined) {
		const [peak, swap] = [number(text("memory.peak")), number(text("memory.swap.current"))];
		stat.memory = { current: memory, ...given({ peak, swap }), events: parseMemoryEvents(events) };
	}
	const pids = number(text("pids.current"));
	if (pids !== undefined) {
		const [peak, max = 0] = [number(text("pids.peak")), keyed(text("pids.events")).get("max")];
		stat.pids = { current: pids, ...given({ peak }), max };
	}
	return stat;
}

/** Parses the text of `memory.events`. */
export function parseMemoryEvents(text: string): MemoryEvents {
	const values = keyed(text);
	const value = (name: string) => values.get(name) ?? 0;
	return {
		low: value("low"),
		high: value("high"),
		max: value("max"),
		oom: value("oom"),
		oomKill: value("oom_kill"),
		...given({ oomGroupKill: values.get("oom_group_kill") }),
	};
}

function readCpu(text: string | undefined): CgroupStat["cpu"] {
	const values = keyed(text);
	const milliseconds = (name: string) => (values.get(name) ?? 0) / 1000;
	const [throttled, periods] = [values.get("throttled_usec"), values.get("nr_periods")];
	return {
		usage: milliseconds("usage_usec"),
		user: milliseconds("user_usec"),
		system: milliseconds("system_usec"),
		...given({ throttled: throttled === undefined ? undefined : throttled / 1000, periods }),
	};
}

/** Parses lines of a name and a number. */
export function keyed(text = ""): Map<string, number> {
	return new Map([...text.matchAll(/^(\S+) (\d+)$/gm)].map(([, name = "", value]) => [name, Number(value)]));
}

function number(text: string | undefined): number | undefined {
	return text === undefined ? undefined : Number(text);
}

/** Returns the properties that have a value. */
function given<T extends Record<string, number | undefined>>(values: T): { [K in keyof T]?: number } {
	return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as {
		[K in keyof T]?: number;
	};
}
