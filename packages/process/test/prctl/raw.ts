import type { Process, Task } from "@nearfar/core";

const PRCTL = process.arch === "arm64" ? 167 : 157;

/** prctl(2) as it is, in a task. */
export function prctl(task: Task | Task<Process>, option: number, ...args: number[]): bigint {
	return task.syscall(PRCTL, option, ...args);
}
