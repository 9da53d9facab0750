import { performance } from "node:perf_hooks";
import { median } from "./row.ts";

/** Nanoseconds for each of `count` synchronous operations. */
export function loop(count: number, operation: () => void): number {
	const start = process.hrtime.bigint();
	for (let index = 0; index < count; index++) operation();
	return Number(process.hrtime.bigint() - start) / count;
}

/** Milliseconds from the start of an operation to its end: the median of `count`, one after the other. */
export async function wall(count: number, operation: () => Promise<unknown>): Promise<number> {
	const times: number[] = [];
	for (let index = 0; index < count; index++) {
		const start = performance.now();
		await operation();
		times.push(performance.now() - start);
	}
	return median(times);
}

/**
 * Milliseconds in which the event loop could do nothing else: the time it did not spend waiting for events, while there
 * was nothing to do but this one operation. The median of `count`.
 */
export async function blocked(count: number, operation: () => Promise<unknown>): Promise<number> {
	const times: number[] = [];
	for (let index = 0; index < count; index++) {
		await idle();
		const start = performance.eventLoopUtilization();
		await operation();
		times.push(performance.eventLoopUtilization(start).active);
	}
	return median(times);
}

/** Until the loop has waited for events once: what the operation before left behind is done. */
function idle(): Promise<void> {
	return new Promise((resolve) => setTimeout(resolve, 1));
}
