import type { CgroupLimits } from "@nearfar/cgroup";
import type { Limits } from "./options.ts";

/** The limits that a group can hold. */
export type GroupLimits = Pick<Limits, "memory" | "swap" | "cpus" | "processes">;

const controllers = { memory: "memory", swap: "memory", cpus: "cpu", processes: "pids" } as const;

/** The names of the limits that a group can hold. */
export const groupLimits = Object.keys(controllers) as (keyof GroupLimits)[];

/** The names of the controllers of all these limits. */
export const allControllers: readonly string[] = [...new Set(Object.values(controllers))];

/** Returns the controllers that limits need. */
export function controllersOf(limits: GroupLimits): string[] {
	const needed = groupLimits.filter((name) => limits[name] !== undefined).map((name) => controllers[name]);
	return [...new Set(needed)];
}

/**
 * Returns limits as a group takes them.
 *
 * @param own - The processes of the sandbox's own in the group, which do not count.
 */
export function toCgroupLimits({ memory, swap, cpus, processes }: GroupLimits, own: number): CgroupLimits {
	const ofMemory = {
		...(memory !== undefined && { max: memory }),
		...(swap !== undefined && { swapMax: swap }),
	};
	return {
		...((memory ?? swap) !== undefined && { memory: ofMemory }),
		...(cpus !== undefined && { cpu: { max: cpus } }),
		...(processes !== undefined && { pids: processes + own }),
	};
}
