// Keeps a program running: starts it again when it has ended, later and later while it keeps failing.
import { setTimeout } from "node:timers/promises";
import { spawn } from "@nearfar/process";

/**
 * Resolves when `signal` is aborted and nothing of the program is left. `onEnd` is called after each end, with the status
 * or the error, and with the milliseconds to the next start.
 */
export async function supervise(
	file,
	args,
	{ signal, shortest = 100, longest = 30_000, healthy = 10_000, onEnd, ...more },
) {
	let delay = shortest;
	while (!signal.aborted) {
		const start = performance.now();
		const end = await runOnce(file, args, { ...more, signal });
		if (signal.aborted) return;
		if (performance.now() - start >= healthy) delay = shortest;
		onEnd?.(end, delay);
		// The wait rejects when the signal is aborted.
		await setTimeout(delay * (0.75 + Math.random() / 2), undefined, { signal }).catch(() => {});
		delay = Math.min(delay * 2, longest);
	}
}

async function runOnce(file, args, options) {
	let child;
	try {
		// `signal` sends SIGTERM, and `grace` kills what is left 5 s later. The tree dies with this process too.
		child = await spawn(file, args, { stdio: "inherit", ...options, killTree: true, grace: 5000 });
		return await child.exited;
	} catch (error) {
		return error; // the program could not be started: it may be installed later
	} finally {
		await child?.[Symbol.asyncDispose](); // `await using` does this in TypeScript, and in JavaScript from Node 24 on
	}
}
