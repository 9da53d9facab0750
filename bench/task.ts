import { Task } from "@nearfar/core";
import { getppid } from "@nearfar/credentials";
import { wall } from "./clock.ts";
import type { Row } from "./row.ts";
import { spawned } from "./spawn.ts";

const COUNT = 30;

/** Measures a task that makes one call and ends. */
export const task: Row[] = [
	{
		name: "task",
		unit: "ms",
		peerName: "child_process.spawn of /bin/true",
		bar: 0.2,
		async start() {
			return { ours: () => wall(COUNT, oneCall), peer: () => wall(COUNT, () => spawned("/bin/true")) };
		},
	},
];

async function oneCall(): Promise<void> {
	const task = await Task.clone();
	task.run(getppid);
	await task.exit();
}
