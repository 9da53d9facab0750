// Waits for a process that is not a child, such as the server of a pid file. No other process is taken for it.
import { readFileSync, writeFileSync } from "node:fs";
import { type ExitStatus, type Signal, SyscallError } from "@nearfar/core";
import { PidFd } from "@nearfar/pidfd";

/** Writes the pid and the start time of this process into a pid file. */
export function writePidFile(path: string): void {
	using self = PidFd.self();
	writeFileSync(path, `${process.pid} ${self.startTime()}\n`);
}

/** Opens the process that a pid file means. `undefined`: that process has ended, and the pid may be in use again. */
export function openPidFile(path: string): PidFd | undefined {
	const [pid, startTime] = readFileSync(path, "utf8").trim().split(" ").map(Number);
	if (!pid || !startTime) throw new Error(`${path} needs a pid and a start time, as writePidFile writes them`);
	return unlessGone(() => PidFd.open(pid, { startTime }));
}

/** Resolves when the process of a pid file has ended. `undefined`: the kernel does not say how. */
export async function waitForPidFile(path: string, signal?: AbortSignal): Promise<ExitStatus | undefined> {
	using server = openPidFile(path);
	return server?.exited(signal ? { signal } : {});
}

/** Asks the process of a pid file to end, and kills it if it has not ended after so many milliseconds. */
export async function stopPidFile(path: string, grace = 5000): Promise<void> {
	using server = openPidFile(path);
	if (!server) return;
	const send = (signal: Signal) => unlessGone(() => server.sendSignal(signal));
	send("SIGTERM");
	const timer = setTimeout(() => send("SIGKILL"), grace);
	await server.exited();
	clearTimeout(timer);
}

function unlessGone<T>(call: () => T): T | undefined {
	try {
		return call();
	} catch (error) {
		if (error instanceof SyscallError && error.code === "ESRCH") return undefined;
		throw error;
	}
}
