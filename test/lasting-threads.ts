import { readdirSync } from "node:fs";
import { read } from "./processes.ts";

/**
 * Returns the ids of the threads of this process, the first one included, that do not end before it. Those that nearfar or the
 * kernel (io_uring) has started for a while are not among them.
 */
export function lastingThreads(): number[] {
	return readdirSync("/proc/self/task").filter(lasts).map(Number);
}

function lasts(tid: string): boolean {
	const name = read(`/proc/self/task/${tid}/comm`);
	return name !== "" && !/^(nearfar|iou)-/.test(name);
}
