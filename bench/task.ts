import { Task } from "@nearfar/core";
import { getppid } from "@nearfar/credentials";
import { getrlimit } from "@nearfar/process";
import { wall } from "./clock.ts";
import { forked } from "./forked.ts";
import { heapRow } from "./heap.ts";
import type { Row } from "./row.ts";
import { spawned } from "./spawn.ts";

const COUNT = 30;
const [MANY, FEW] = [5000, 100];
/** A task takes a descriptor for its channel and one for its process. */
const NEEDED = 2 * MANY + 100;

/** Measures a task that makes one call and ends, and a clone without and beside other tasks. */
export const task: Row[] = [
	{
		name: "task",
		unit: "ms",
		peerName: "child_process.spawn of /bin/true",
		async start() {
			return { ours: () => wall(COUNT, oneCall), peer: () => wall(COUNT, () => spawned("/bin/true")) };
		},
	},
	{
		name: "clone-5000",
		unit: "ms",
		peerName: `a clone with ${FEW} tasks alive`,
		bar: 1.1,
		async start() {
			const { soft } = getrlimit("nofile");
			if (soft < NEEDED) return `RLIMIT_NOFILE is ${soft}, and ${NEEDED} descriptors are needed`;
			const [many, few] = [await forked("clone-crowd", MANY), await forked("clone-crowd", FEW)];
			const end = async () => {
				await many.end();
				await few.end();
			};
			return { ours: () => many.ask(), peer: () => few.ask(), end };
		},
	},
	heapRow({
		name: "clone-blocked",
		bar: 0.08,
		clock: "blocked",
		ours: "clone",
		peer: "node",
		peerName: "child_process.spawn of /bin/true",
	}),
];

async function oneCall(): Promise<void> {
	const task = await Task.clone();
	task.run(getppid);
	await task.exit();
}
