import { boolean, options as checkOptions, integer, outOfRange, wrongType, wrongValue } from "@nearfar/core/internal";
import type { CgroupLimits, CpuLimits, CpusetLimits, MemoryLimits } from "./limits.ts";

/** A file that is to be written. */
export interface Write {
	readonly controller: "cpu" | "cpuset" | "memory" | "pids";
	readonly file: string;
	readonly text: string;
	/** The file is written where it exists. Default: its absence is an error. */
	readonly ifThere?: boolean;
}

const LEAST_BYTES = 4096; // the kernel takes 4095, and makes 0 of it
const MOST_PIDS = 4_194_304; // PID_MAX_LIMIT
const PERIOD = 100_000; // microseconds
const [LEAST_CPUS, MOST_CPUS] = [0.01, 1_000_000]; // the kernel takes no quota below 1 ms

/** Checks limits. Returns the files to write, in the order in which the kernel takes them. */
export function checkLimits(limits: CgroupLimits | undefined, name: string): Write[] {
	const { memory, pids, cpu, cpuset } = checkOptions(limits, ["memory", "pids", "cpu", "cpuset"], name);
	return [
		...memoryWrites(memory, `${name}.memory`),
		...of("pids", [["pids.max", limitOf(pids, `${name}.pids`, (n, at) => integer(n, at, 0, MOST_PIDS))]]),
		...cpuWrites(cpu, `${name}.cpu`),
		...cpusetWrites(cpuset, `${name}.cpuset`),
	];
}

/** The kernel kills before a write of `memory.max` returns. So the limits that choose the victims, and those that protect memory, come first. */
function memoryWrites(limits: MemoryLimits | undefined, name: string): Write[] {
	const known = ["max", "high", "low", "min", "swapMax", "oomGroup"] as const;
	const { max, high, low, min, swapMax, oomGroup } = checkOptions(limits, known, name);
	const most = limitOf(max, `${name}.max`, bytes);
	const implied = typeof max === "number" && swapMax === undefined;
	const writes = of("memory", [
		["memory.oom.group", flagOf(oomGroup, `${name}.oomGroup`)],
		["memory.swap.max", limitOf(swapMax, `${name}.swapMax`, bytesOrNone)],
		["memory.low", limitOf(low, `${name}.low`, bytesOrNone, false)],
		["memory.min", limitOf(min, `${name}.min`, bytesOrNone, false)],
		["memory.high", limitOf(high, `${name}.high`, bytes)],
		["memory.max", most],
	]);
	const noSwap = { controller: "memory", file: "memory.swap.max", text: "0", ifThere: true } as const;
	return implied ? [noSwap, ...writes] : writes;
}

function cpuWrites(limits: CpuLimits | undefined, name: string): Write[] {
	const { max, weight, idle } = checkOptions(limits, ["max", "weight", "idle"], name);
	const most = limitOf(max, `${name}.max`, cpus);
	const share = limitOf(weight, `${name}.weight`, (value, at) => integer(value, at, 1, 10_000), false);
	const isIdle = flagOf(idle, `${name}.idle`);
	if (isIdle === "1" && share !== undefined) {
		throw wrongValue(`${name}.weight`, "absent with `idle: true`: an idle group has no weight", weight);
	}
	return of("cpu", [
		["cpu.idle", isIdle],
		["cpu.weight", share],
		["cpu.max", most === undefined ? undefined : `${most} ${PERIOD}`],
	]);
}

/** Memory nodes come first: the kernel puts no process on processors without memory. */
function cpusetWrites(limits: CpusetLimits | undefined, name: string): Write[] {
	const { cpus, mems } = checkOptions(limits, ["cpus", "mems"], name);
	return of("cpuset", [
		["cpuset.mems", listOf(mems, `${name}.mems`)],
		["cpuset.cpus", listOf(cpus, `${name}.cpus`)],
	]);
}

function of(controller: Write["controller"], files: readonly [file: string, text: string | undefined][]): Write[] {
	return files.flatMap(([file, text]) => (text === undefined ? [] : [{ controller, file, text }]));
}

/** Returns the text of a number, or of `"max"`. */
function limitOf(
	value: unknown,
	name: string,
	check: (value: unknown, name: string) => number,
	takesMax = true,
): string | undefined {
	if (value === undefined) return undefined;
	if (takesMax && value === "max") return value;
	if (typeof value !== "number") throw wrongType(name, takesMax ? 'a number or "max"' : "a number", value);
	return `${check(value, name)}`;
}

function bytes(value: unknown, name: string): number {
	return integer(value, name, LEAST_BYTES, Number.MAX_SAFE_INTEGER);
}

function bytesOrNone(value: unknown, name: string): number {
	const number = integer(value, name, 0, Number.MAX_SAFE_INTEGER);
	if (number > 0 && number < LEAST_BYTES) {
		throw outOfRange(name, `0, or a whole number from ${LEAST_BYTES} to ${Number.MAX_SAFE_INTEGER}`, value);
	}
	return number;
}

/** Returns a quota in microseconds for each period. */
function cpus(value: unknown, name: string): number {
	const number = Number(value);
	if (!(number >= LEAST_CPUS && number <= MOST_CPUS)) {
		throw outOfRange(name, `a number of CPUs from ${LEAST_CPUS} to ${MOST_CPUS}`, value);
	}
	return Math.round(number * PERIOD);
}

function flagOf(value: unknown, name: string): string | undefined {
	return value === undefined ? undefined : boolean(value, name) ? "1" : "0";
}

function listOf(value: unknown, name: string): string | undefined {
	if (value === undefined) return undefined;
	if (typeof value !== "string") throw wrongType(name, "a string", value);
	if (!/^(\d+(-\d+)?(,\d+(-\d+)?)*)?$/.test(value)) throw wrongValue(name, 'a list of ranges such as "0-3,8"', value);
	return value === "" ? "\n" : value; // the kernel does not see a write of no bytes
}
