import type { Reporter, TestModule } from "vitest/node";
import { descendants, describeThreads } from "./processes.ts";

const MINUTES = 10;

/**
 * Ends a run in which no test file has begun or ended for ten minutes, and shows what its processes wait for. vitest's own
 * timeouts cannot end a worker whose event loop is blocked, as by a call into a task that is stopped.
 */
export default class Stuck implements Reporter {
	readonly #running = new Set<string>();
	#timer: NodeJS.Timeout | undefined;

	onTestModuleStart({ moduleId }: TestModule): void {
		this.#running.add(moduleId);
		this.#begin();
	}

	onTestModuleEnd({ moduleId }: TestModule): void {
		this.#running.delete(moduleId);
		this.#begin();
	}

	onTestRunEnd(): void {
		clearTimeout(this.#timer);
	}

	#begin(): void {
		clearTimeout(this.#timer);
		this.#timer = setTimeout(() => this.#end(), MINUTES * 60_000);
	}

	#end(): void {
		const pids = descendants(process.pid);
		console.error(`no test file has ended for ${MINUTES} minutes: ${[...this.#running].join(", ")}`);
		for (const pid of pids) console.error(describeThreads(pid));
		for (const pid of pids) kill(pid);
		process.exit(1);
	}
}

function kill(pid: number): void {
	try {
		process.kill(pid, "SIGKILL");
	} catch {
		// the process has ended meanwhile
	}
}
