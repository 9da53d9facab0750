// Runs commands that test something, a few at a time. A test that hangs or leaves daemons behind harms no other test.
import { availableParallelism } from "node:os";
import { type RunResult, run } from "@nearfar/process";

export interface Verdict {
	readonly name: string;
	readonly passed: boolean;
	/** A line for a person: how the test ended, and how much time and memory the test took. */
	readonly summary: string;
	readonly output: string;
}

/** Runs every test, each one a shell script with its name. Resolves when no process of any test is left. */
export async function runTests(
	tests: Record<string, string>,
	{
		timeout = 60_000,
		parallel = availableParallelism(),
		signal,
	}: { timeout?: number; parallel?: number; signal?: AbortSignal } = {},
): Promise<Verdict[]> {
	const waiting = Object.entries(tests);
	const verdicts: Verdict[] = [];
	const worker = async () => {
		for (let next = waiting.shift(); next && !signal?.aborted; next = waiting.shift()) {
			const [name, script] = next;
			const result = await run("sh", ["-c", script], {
				killTree: true, // daemons in sessions of their own too, and also when this process gets SIGKILL
				timeout,
				grace: 1000, // from SIGTERM to SIGKILL
				maxOutput: 2 ** 20,
				...(signal && { signal }),
			});
			verdicts.push({ name, ...judge(result) });
		}
	};
	await Promise.all(Array.from({ length: parallel }, worker));
	return verdicts;
}

function judge(result: RunResult): Omit<Verdict, "name"> {
	const { code, signal, reason, stdout, stderr, truncated, usage } = result;
	const end = {
		exited: `exit code ${code}`,
		killed: `killed by ${signal}`,
		timeout: "too slow",
		aborted: "stopped",
		output: "too much output",
	};
	return {
		passed: reason === "exited" && code === 0,
		summary: `${end[reason]}, ${Math.round(usage.wall)} ms, ${Math.round((usage.maxRss ?? 0) / 2 ** 20)} MiB`,
		output: stdout + stderr + (truncated.stdout || truncated.stderr ? "\n[cut off]" : ""),
	};
}
