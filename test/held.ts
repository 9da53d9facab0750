import { Task } from "@nearfar/core";
import { expect } from "vitest";
import { stat } from "./processes.ts";

const PTRACE = process.arch === "arm64" ? 117 : 101;
const [DETACH, SEIZE, INTERRUPT] = [17, 0x4206, 0x4207];

/** Holds a process below this one as a debugger does, so that SIGCONT does not continue the process. */
export async function hold(pid: number): Promise<Disposable> {
	Task.near.syscall(PTRACE, SEIZE, pid, 0, 0);
	Task.near.syscall(PTRACE, INTERRUPT, pid, 0, 0);
	await expect.poll(() => stat(pid)?.state).toBe("t");
	return { [Symbol.dispose]: () => void Task.near.syscall(PTRACE, DETACH, pid, 0, 0) };
}
