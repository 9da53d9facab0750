import { performance } from "node:perf_hooks";
import { median } from "./row.ts";

/** Returns the nanoseconds that one of `count` synchronous operations takes. */
export function loop(count: number, operation: () => void): number {
	const start = process.hrtime.bigint();
	for (let index = 0; index < count; index++) operation();
	return Number(process.hrtime.bigint() - start) / count;
}

/** Something to measure. A result that can be disposed of is disposed of when the time was taken. */
export type Operation = () => Promise<unknown>;

/** Returns the milliseconds from the start of an operation to its end: the median of `count` in a row. */
export async function wall(count: number, operation: Operation): Promise<number> {
	const times: number[] = [];
	for (let index = 0; index < count; index++) {
		const start = performance.now();
		const result = await operation();
		times.push(performance.now() - start);
		await dispose(result);
	}
	return median(times);
}

/**
 * Returns the milliseconds for which an operation blocks the event loop: the time that the loop did not spend waiting for
 * events, while this operation was its only work. The result is the median of `count`.
 */
export async function blocked(count: number, operation: Operation): Promise<number> {
	const times: number[] = [];
	for (let index = 0; index < count; index++) {
		await idle();
		const start = performance.eventLoopUtilization();
		const result = await operation();
		times.push(performance.eventLoopUtilization(start).active);
		await dispose(result);
	}
	return median(times);
}

async function dispose(result: unknown): Promise<void> {
	await (result as Partial<AsyncDisposable> | undefined)?.[Symbol.asyncDispose]?.();
}

/** Resolves when the loop has waited for events once, so that the previous operation has no work left. */
function idle(): Promise<void> {
	return new Promise((resolve) => setTimeout(resolve, 1));
}
