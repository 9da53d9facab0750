// A Node that uses as many megabytes as its argument says. When asked, the program starts programs and reports the time.
import { Task } from "@nearfar/core";
import { blocked, wall } from "./clock.ts";
import { spawned } from "./spawn.ts";

export interface Question {
	readonly side: "ours" | "peer";
	readonly clock: "wall" | "blocked";
	readonly count: number;
}

const PIECE = 64 * 1024;
const clocks = { wall, blocked };
const sides = { ours: executed, peer: () => spawned("/bin/true") };

const pieces = (Number(process.argv[2]) * 1024 * 1024) / PIECE;
const heap = Array.from({ length: pieces }, () => Buffer.alloc(PIECE, 1));

process.on("message", async ({ side, clock, count }: Question) => {
	process.send?.(await clocks[clock](count, sides[side]));
});
process.on("disconnect", () => heap.splice(0));
process.send?.(0);

async function executed(): Promise<void> {
	const task = await Task.clone();
	await task.exec("/bin/true").check();
}
