import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { setImmediate } from "node:timers/promises";
import { limitOfTest } from "./limit.ts";
import { pids } from "./processes.ts";

/** A variable that nobody else's environment has. */
export function mark(): Record<string, string> {
	return { NEARFAR_MARK: randomUUID() };
}

/** Returns the pids of all processes that were executed with the variable, in any session or group, without zombies. */
export function marked({ NEARFAR_MARK }: Record<string, string>): number[] {
	return pids()
		.filter((pid) => environment(pid).includes(`NEARFAR_MARK=${NEARFAR_MARK}`))
		.map(Number);
}

/**
 * Waits until as many processes have the variable, and returns their pids. A later look may not find them: in the middle of
 * execve(2) a process has no environment.
 */
export async function untilMarked(env: Record<string, string>, count: number): Promise<number[]> {
	const deadline = Date.now() + limitOfTest();
	for (;;) {
		const found = marked(env);
		if (found.length === count) return found;
		if (Date.now() > deadline) throw new Error(`${found.length} processes instead of ${count}`);
		await setImmediate();
	}
}

function environment(pid: string): string {
	try {
		return readFileSync(`/proc/${pid}/environ`, "latin1");
	} catch {
		return ""; // another user's, or ended meanwhile
	}
}
