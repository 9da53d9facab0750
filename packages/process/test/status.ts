import { readFileSync } from "node:fs";

/** Returns a field of /proc/<pid>/status. */
export function status(pid: number | "self", field: string): string | undefined {
	return new RegExp(`^${field}:\t(.*)$`, "m").exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
}

/** Returns a field that is a set of signals, as bits. */
export function signalSet(pid: number | "self", field: "SigBlk" | "SigIgn" | "SigCgt"): bigint {
	return BigInt(`0x${status(pid, field)}`);
}
