import type { Process, Task } from "@nearfar/core";
import { isRoot } from "./needs.ts";

const [SETRESUID, SETRESGID] = process.arch === "arm64" ? [147, 149] : [117, 119];

/** Makes a task of user 0 one of an ordinary user without capabilities. A task of an ordinary user is that already. */
export function becomeOrdinary(task: Task | Task<Process>): void {
	if (!isRoot) return;
	task.syscall(SETRESGID, 1000, 1000, 1000);
	task.syscall(SETRESUID, 1000, 1000, 1000);
}
