import { type SpawnOptions, spawn } from "@nearfar/process";
import { blocked, wall } from "./clock.ts";
import type { Row } from "./row.ts";
import { spawned } from "./spawn.ts";

const COUNT = 30;
const BURST = 500;

/** Measures a program from its start to its end. */
export const spawnProgram: Row[] = [
	row("spawn-true", 0.55, (side) => wall(COUNT, side), ended),
	row("spawn-true-blocked", 0.3, (side) => blocked(COUNT, side), ended),
	row(
		"spawn-tree",
		1.0,
		(side) => wall(COUNT, side),
		() => ended({ killTree: true }),
	),
	{ ...row("spawn-burst", 0.5, (side) => wall(1, () => burst(side)), ended), rounds: 7 },
];

type Side = () => Promise<unknown>;

function row(name: string, bar: number, measure: (side: Side) => Promise<number>, ours: Side): Row {
	return {
		name,
		unit: "ms",
		peerName: "child_process.spawn of /bin/true",
		bar,
		async start() {
			return { ours: () => measure(ours), peer: () => measure(() => spawned("/bin/true")) };
		},
	};
}

async function ended(options?: SpawnOptions): Promise<void> {
	const child = await spawn("/bin/true", [], { stdio: "ignore", ...options });
	await child.check();
}

function burst(side: Side): Promise<unknown> {
	return Promise.all(Array.from({ length: BURST }, side));
}
