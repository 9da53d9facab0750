import { readFileSync } from "node:fs";

/** Returns the numbers of one line of /proc/<pid>/status. */
export function status(pid: number | "self", name: string): number[] {
	const line = new RegExp(`^${name}:(.*)$`, "m").exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? "";
	return line.split(/\s+/).filter(Boolean).map(Number);
}

/** Returns process group and session from /proc/<pid>/stat. */
export function job(pid: number | "self"): { group: number; session: number } {
	const text = readFileSync(`/proc/${pid}/stat`, "utf8");
	const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
	return { group: Number(fields[2]), session: Number(fields[3]) };
}
