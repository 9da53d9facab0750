import { readdirSync, readFileSync } from "node:fs";

/**
 * Returns the ids of the threads of this process, the first one included, that do not end before it. Those that nearfar or the
 * kernel (io_uring) has started for a while are not among them.
 */
export function lastingThreads(): number[] {
	return readdirSync("/proc/self/task").filter(lasts).map(Number);
}

function lasts(tid: string): boolean {
	try {
		return !/^(nearfar|iou)-/.test(readFileSync(`/proc/self/task/${tid}/comm`, "utf8"));
	} catch {
		return false; // the thread has ended meanwhile
	}
}
