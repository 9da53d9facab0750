import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { setImmediate } from "node:timers/promises";

/** A process that is a child of our child, and our child. */
export interface Stranger {
	pid: number;
	parent: ChildProcess;
	/** Resolves when the parent has exited. */
	exit: Promise<unknown>;
}

/** Starts a process below a child of ours. With `reap` the parent waits for it. */
export async function stranger(reap: boolean): Promise<Stranger> {
	const script = `sleep 1000 <&- >&- 2>&- & echo $!; ${reap ? "wait" : "exec sleep 1000"}`;
	const parent = spawn("sh", ["-c", script], { stdio: ["ignore", "pipe", "ignore"] });
	const exit = once(parent, "exit");
	const [line] = await once(parent.stdout, "data");
	// The shell would reap the process, so it has to have executed the other program.
	const name = () => readFileSync(`/proc/${parent.pid}/comm`, "utf8");
	while (!reap && name() !== "sleep\n") await setImmediate();
	return { pid: Number(line), parent, exit };
}

/** Ends the processes that {@link stranger} has started. */
export async function end({ pid, parent, exit }: Stranger): Promise<void> {
	for (const id of [pid, parent.pid ?? 0]) {
		try {
			process.kill(id, "SIGKILL");
		} catch {
			// The process has ended, and its parent or Node has reaped it.
		}
	}
	await exit;
}

/** Returns the letter that `/proc` shows for the state of a process, or "" if no process has the pid. */
export function stateOf(pid: number): string {
	try {
		return /^State:\t(\S)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? "";
	} catch {
		return "";
	}
}
