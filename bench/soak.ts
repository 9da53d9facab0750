// `npm run soak [-- COUNT]`: runs many tasks that execute, that fail, that forge replies and that end, and many programs, and
// reports leaks.
import { Task } from "@nearfar/core";
import { type Counters, count, grown, settle } from "./counters.ts";
import { faults } from "./faults.ts";
import { hostile } from "./hostile.ts";
import { alive, spawns } from "./spawn-soak.ts";

const PARALLEL = 6;
const WARM_UP = 1000;

const total = Number(process.argv.slice(2).find((argument) => argument !== "--") ?? 100_000);
if (!Number.isInteger(total) || total < 1) {
	console.error("usage: npm run soak [-- COUNT]: how many of each kind, default 100000");
	process.exit(2);
}

await soak("warm-up: clone, exec, exit", WARM_UP, executed);
await soak("warm-up: clone, kill, faults", WARM_UP, failed);
await soak("warm-up: clone, forged replies", WARM_UP, forged);
await soak("warm-up: spawn", WARM_UP, spawned);
const before = await settle();
await soak("clone, exec, exit", total, executed);
await soak("clone, kill, faults", total, failed);
await soak("clone, forged replies", total, forged);
await soak("spawn", total, spawned);
const after = await settle(before);

console.table({ before, after });
const leaks = [...grown(before, after), ...alive()];
if (leaks.length > 0) {
	console.error(`left behind: ${leaks.join(", ")}`);
	process.exitCode = 1;
} else {
	console.log("nothing is left behind");
}

async function executed(): Promise<void> {
	const task = await Task.clone();
	await task.exec("/bin/true").check();
}

function failed(index: number): Promise<void> {
	return oneOf(faults, index);
}

function forged(index: number): Promise<void> {
	return oneOf(hostile, index);
}

function spawned(index: number): Promise<void> {
	return oneOf(spawns, index);
}

async function oneOf(
	kinds: Readonly<Record<string, (round: number) => Promise<unknown>>>,
	index: number,
): Promise<void> {
	const all = Object.entries(kinds);
	const [name, fault] = all[index % all.length] as (typeof all)[number];
	await fault(Math.floor(index / all.length)).catch((error) => {
		throw new Error(`${name}: ${error.message}`, { cause: error });
	});
}

/** Runs `operation` `count` times, a few at once, and prints its progress now and then. */
async function soak(what: string, times: number, operation: (index: number) => Promise<void>): Promise<void> {
	const start = Date.now();
	const step = Math.max(Math.ceil(times / 10), 500);
	let next = 0;
	const worker = async () => {
		while (next < times) {
			const index = next++;
			await operation(index);
			// A task that is dropped without dispose lives until it is collected, and V8 does not know how much memory it holds.
			if (index % 500 === 499) globalThis.gc?.();
			if ((index + 1) % step === 0 || index + 1 === times) report(what, index + 1, times, start, count());
		}
	};
	await Promise.all(Array.from({ length: PARALLEL }, worker));
}

function report(what: string, done: number, times: number, start: number, now: Counters): void {
	const seconds = ((Date.now() - start) / 1000).toFixed(1);
	const { descriptors, threads, children, mappings, rssMegabytes } = now;
	const held = `${descriptors} descriptors, ${threads} threads, ${children} children, ${mappings} mappings`;
	console.log(`${what}: ${done} of ${times}, ${seconds} s; ${held}, ${rssMegabytes} MB`);
}
