import type { Process, Task } from "@nearfar/core";

const PRCTL = process.arch === "arm64" ? 167 : 157;

/** Makes the bare call prctl(2) in a task. */
export function prctl(task: Task | Task<Process>, option: number, ...args: number[]): bigint {
	return task.syscall(PRCTL, option, ...args) as bigint;
}
