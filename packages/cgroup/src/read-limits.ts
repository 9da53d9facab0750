import type { Directory } from "./directory.ts";
import type { CgroupLimits, CpuLimits, CpusetLimits, MemoryLimits } from "./limits.ts";

/** Returns the limits of a directory, as the kernel says. A part whose controller is not here is absent. */
export function readLimits(directory: Directory): CgroupLimits {
	const text = (file: string) => directory.readIfThere(file)?.trim();
	const limits: CgroupLimits = {};
	const [memory, cpu, cpuset] = [readMemory(text), readCpu(text), readCpuset(text)];
	if (memory) limits.memory = memory;
	const pids = limit(text("pids.max"));
	if (pids !== undefined) limits.pids = pids;
	if (cpu) limits.cpu = cpu;
	if (cpuset) limits.cpuset = cpuset;
	return limits;
}

type Read = (file: string) => string | undefined;

function readMemory(text: Read): MemoryLimits | undefined {
	const max = limit(text("memory.max"));
	if (max === undefined) return undefined;
	const limits: MemoryLimits = { max };
	const [high, swapMax] = [limit(text("memory.high")), limit(text("memory.swap.max"))];
	const [low, min] = [protection(text("memory.low")), protection(text("memory.min"))];
	const group = text("memory.oom.group");
	if (high !== undefined) limits.high = high;
	if (low !== undefined) limits.low = low;
	if (min !== undefined) limits.min = min;
	if (swapMax !== undefined) limits.swapMax = swapMax;
	if (group !== undefined) limits.oomGroup = group === "1";
	return limits;
}

function readCpu(text: Read): CpuLimits | undefined {
	const max = text("cpu.max");
	if (max === undefined) return undefined;
	const [quota = "max", period = "100000"] = max.split(" ");
	const limits: CpuLimits = { max: quota === "max" ? "max" : Number(quota) / Number(period) };
	const [weight, idle] = [text("cpu.weight"), text("cpu.idle")];
	// Of an idle group the kernel says a weight that it refuses to take.
	if (weight !== undefined && idle !== "1") limits.weight = Number(weight);
	if (idle !== undefined) limits.idle = idle === "1";
	return limits;
}

function readCpuset(text: Read): CpusetLimits | undefined {
	const [cpus, mems] = [text("cpuset.cpus"), text("cpuset.mems")];
	return cpus === undefined ? undefined : { cpus, mems: mems ?? "" };
}

function limit(text: string | undefined): number | "max" | undefined {
	return text === undefined || text === "max" ? text : Number(text);
}

/** Returns an amount that is protected. Other programs may have protected everything. */
function protection(text: string | undefined): number | undefined {
	return text === undefined ? undefined : text === "max" ? Number.MAX_SAFE_INTEGER : Number(text);
}
