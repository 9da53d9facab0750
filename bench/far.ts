import { execFileSync } from "node:child_process";
import { type Process, Task } from "@nearfar/core";
import { getppid } from "@nearfar/credentials";
import { setNoNewPrivs } from "@nearfar/process";
import { loop, wall } from "./clock.ts";
import { buildRaw, raw } from "./raw.ts";
import type { Row, Sides } from "./row.ts";

const COUNT = 5000;
const CALLS = 100;
/** Lengths of a message with one call and no bytes, and of its reply: `Header` and one `Step` of crates/linux/src/wire.rs. */
const MESSAGE = 104;

/** Measures a call in a task against two bare messages, and a batch of a hundred calls against the calls without a batch. */
export const far: Row[] = [
	{
		name: "far-call",
		unit: "µs",
		peerName: "bare SOCK_SEQPACKET ping-pong (Rust)",
		bar: 1.6,
		async start() {
			buildRaw();
			return onOneCpu((task) => ({
				ours: () => call(task),
				peer: () => raw("raw", "pingpong", COUNT, MESSAGE) / 1000,
			}));
		},
	},
	{
		name: "far-batch-100",
		unit: "µs",
		peerName: "one far-call",
		async start() {
			return onOneCpu((task) => ({
				ours: async () => (await wall(200, () => batch(task))) * 1000,
				peer: () => call(task),
			}));
		},
	},
	{
		name: "far-batch-100-raw",
		unit: "µs",
		peerName: "100 system calls in a loop, and one call in a task (Rust)",
		bar: 1.5,
		async start() {
			buildRaw();
			buildRaw("far");
			return onOneCpu(() => ({
				ours: () => raw("far", "batch", COUNT, CALLS) / 1000,
				peer: () => (CALLS * raw("raw", "getppid", COUNT * CALLS) + raw("far", "call", COUNT)) / 1000,
			}));
		},
	},
];

/** Measures a call in a thread of Node against a call in a task. */
export const thread: Row[] = [
	{
		name: "thread-call",
		unit: "µs",
		peerName: "far-call",
		bar: 2,
		async start() {
			return onOneCpu(async (task) => {
				const thread = await Task.thread();
				return { ours: () => call(thread), peer: () => call(task), end: () => thread[Symbol.asyncDispose]() };
			});
		},
	},
];

function call(task: Task<Process>): number {
	return loop(COUNT, () => task.run(getppid)) / 1000;
}

/** Makes a hundred calls of the cheapest kind that returns nothing. */
function batch(task: Task): Promise<void> {
	return task.batch(() => {
		for (let index = 0; index < CALLS; index++) setNoNewPrivs();
	});
}

/**
 * Runs an operation with this process and a task on the same CPU.
 *
 * The scheduler's placement of two processes that wait for each other decides more than anything else: waking an idle CPU
 * can cost several times as much as the messages. On one CPU, both sides of the comparison are at their best and alike.
 */
export async function onOneCpu(sides: (task: Task) => Sides | Promise<Sides>): Promise<Sides | string> {
	const first = await Task.clone(); // threads that the first clone starts keep all CPUs
	await first.exit();
	const before = affinity();
	if (before === undefined) return "taskset (util-linux) is not installed";
	affinity(before.split(/[-,]/)[0]);
	const task = await Task.clone();
	const both = await sides(task);
	const end = async () => {
		await both.end?.();
		await task.exit();
		affinity(before);
	};
	return { ...both, end };
}

/** Returns the CPUs of this thread and its future children. Sets them first if `cpus` is given. */
function affinity(cpus?: string): string | undefined {
	const args = ["-pc", ...(cpus === undefined ? [] : [cpus]), String(process.pid)];
	try {
		return execFileSync("taskset", args, { encoding: "utf8" }).trim().split(": ").at(-1);
	} catch (error) {
		if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
		throw error;
	}
}
