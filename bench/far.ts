import { execFileSync } from "node:child_process";
import { Task } from "@nearfar/core";
import { getppid } from "@nearfar/credentials";
import { setNoNewPrivs } from "@nearfar/process";
import { loop, wall } from "./clock.ts";
import { buildRaw, raw } from "./raw.ts";
import type { Row, Sides } from "./row.ts";

const COUNT = 5000;
/** A program of one call without bytes, and its reply: `Header` and one `Step` of crates/linux/src/wire.rs. */
const MESSAGE = 104;

/** What does a call in a task cost beyond two messages, and what do a hundred in a batch? */
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
				peer: () => raw("pingpong", COUNT, MESSAGE) / 1000,
			}));
		},
	},
	{
		name: "far-batch-100",
		unit: "µs",
		peerName: "one far-call",
		bar: 4,
		async start() {
			return onOneCpu((task) => ({
				ours: async () => (await wall(200, () => batch(task))) * 1000,
				peer: () => call(task),
			}));
		},
	},
];

function call(task: Task): number {
	return loop(COUNT, () => task.run(getppid)) / 1000;
}

/** A hundred calls of the cheapest kind that gives nothing back. */
function batch(task: Task): Promise<void> {
	return task.batch(() => {
		for (let index = 0; index < 100; index++) setNoNewPrivs();
	});
}

/**
 * Where the scheduler puts two processes that wait for each other decides more than everything else: waking an idle CPU
 * can cost several times the messages. On the same one, both sides are at their best and always alike.
 */
async function onOneCpu(sides: (task: Task) => Sides): Promise<Sides | string> {
	const first = await Task.clone(); // the threads that it starts stay free
	await first.exit();
	const before = affinity();
	if (before === undefined) return "taskset (util-linux) is not installed";
	affinity(before.split(/[-,]/)[0]);
	const task = await Task.clone();
	const end = async () => {
		await task.exit();
		affinity(before);
	};
	return { ...sides(task), end };
}

/** The CPUs of this thread and of what it starts, after setting them where some are given. */
function affinity(cpus?: string): string | undefined {
	const args = ["-pc", ...(cpus === undefined ? [] : [cpus]), String(process.pid)];
	try {
		return execFileSync("taskset", args, { encoding: "utf8" }).trim().split(": ").at(-1);
	} catch (error) {
		if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
		throw error;
	}
}
