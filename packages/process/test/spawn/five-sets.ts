import { status } from "../../../../test/status.ts";
import { type SpawnOptions, spawn } from "../../src/index.ts";

const sets = ["CapPrm", "CapEff", "CapInh", "CapAmb", "CapBnd"] as const;

/** The five capability sets of a process, as `/proc` shows them to other processes. */
export type FiveSets = Record<(typeof sets)[number], bigint>;

/** Returns the capability sets of a process. */
export function fiveSets(pid: number | "self"): FiveSets {
	return Object.fromEntries(sets.map((set) => [set, BigInt(`0x${status(pid, set)}`)])) as FiveSets;
}

/** Returns five equal sets. */
export function allFive(capabilities: bigint): FiveSets {
	return Object.fromEntries(sets.map((set) => [set, capabilities])) as FiveSets;
}

/** Starts a program, and returns its capability sets, its ids and its groups, as `/proc` shows them to other processes. */
export async function seenFromOutside(
	options: SpawnOptions,
): Promise<{ sets: FiveSets; uid: string; gid: string; groups: string }> {
	await using child = await spawn("sleep", ["1000"], { stdio: "ignore", ...options });
	const field = (name: string) => (status(child.pid, name) ?? "").trim().replaceAll("\t", " ");
	return { sets: fiveSets(child.pid), uid: field("Uid"), gid: field("Gid"), groups: field("Groups") };
}
