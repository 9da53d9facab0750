import { readFileSync } from "node:fs";

/** Returns a field of `/proc/<pid>/status`. */
export function status(pid: number | "self", field: string): string | undefined {
	return new RegExp(`^${field}:[ \\t]*(.*)$`, "m").exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
}

/** Returns a field that is a list of numbers. */
export function statusNumbers(pid: number | "self", field: string): number[] {
	return (status(pid, field) ?? "").split(/\s+/).filter(Boolean).map(Number);
}

/** Returns a field that is a set of signals, as bits. */
export function signalSet(pid: number | "self", field: "SigBlk" | "SigIgn" | "SigCgt"): bigint {
	return BigInt(`0x${status(pid, field)}`);
}

/** Returns the process group and the session of a process, from `/proc/<pid>/stat`. */
export function job(pid: number | "self"): { group: number; session: number } {
	const text = readFileSync(`/proc/${pid}/stat`, "utf8");
	const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
	return { group: Number(fields[2]), session: Number(fields[3]) };
}
