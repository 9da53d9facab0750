// Runs jobs on one machine, none of which takes it away from the others.
import { type Result, run } from "@nearfar/sandbox";

const MiB = 2 ** 20;

/** Runs a job to its end, and returns what its owner is told. `memory`: bytes of everything that the job starts together. */
export async function runJob(script: string, memory = 512 * MiB): Promise<string> {
	const result = await run("sh", ["-c", script], {
		preset: "closed",
		limits: { memory, cpus: 0.5, processes: 200, time: 600_000 },
	});
	return `${result.stdout}${ending(result, memory)}`;
}

function ending({ code, signal, reason, usage, violations }: Result, memory: number): string {
	const most = usage.memoryPeak === undefined ? "" : `, at most ${Math.ceil(usage.memoryPeak / MiB)} MiB`;
	if (reason === "memory") return `killed: the job needs more than ${memory / MiB} MiB\n`;
	const full = violations.some(({ what }) => what === "processes") ? ", and wanted more than 200 processes" : "";
	return `${reason} with ${code ?? signal}${full}${most}\n`;
}
