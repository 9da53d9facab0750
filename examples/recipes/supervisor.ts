// Keeps a program running: starts it again when it has ended, later and later while it keeps failing.
import { setTimeout } from "node:timers/promises";
import type { ExitStatus } from "@nearfar/core";
import { type SpawnOptions, spawn } from "@nearfar/process";

export interface SupervisorOptions {
	/** Ends the program and the supervisor. */
	readonly signal: AbortSignal;
	/** Milliseconds before the first new start, and the most before any. Defaults: 100, and half a minute. */
	readonly shortest?: number;
	readonly longest?: number;
	/** Milliseconds after which a program counts as healthy, so that the next wait is the shortest one. Default: 10 s. */
	readonly healthy?: number;
	/** Called after each end with the milliseconds to the next start. */
	readonly onEnd?: (end: ExitStatus | Error, delay: number) => void;
	readonly spawn?: SpawnOptions;
}

/** Resolves when the signal is aborted and nothing of the program is left. */
export async function supervise(file: string, args: string[], options: SupervisorOptions): Promise<void> {
	const { signal, shortest = 100, longest = 30_000, healthy = 10_000, onEnd } = options;
	let delay = shortest;
	while (!signal.aborted) {
		const start = performance.now();
		const end = await runOnce(file, args, options);
		if (signal.aborted) return;
		if (performance.now() - start >= healthy) delay = shortest;
		onEnd?.(end, delay);
		// The wait rejects when the signal is aborted.
		await setTimeout(delay * (0.75 + Math.random() / 2), undefined, { signal }).catch(() => {});
		delay = Math.min(delay * 2, longest);
	}
}

async function runOnce(
	file: string,
	args: string[],
	{ signal, spawn: more }: SupervisorOptions,
): Promise<ExitStatus | Error> {
	try {
		// `signal` sends SIGTERM, and `grace` kills what is left 5 s later. The tree dies with this process too.
		await using child = await spawn(file, args, { stdio: "inherit", ...more, killTree: true, signal, grace: 5000 });
		return await child.exited;
	} catch (error) {
		return error as Error; // the program could not be started: it may be installed later
	}
}
