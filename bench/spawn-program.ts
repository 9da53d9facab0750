import { type SpawnOptions, spawn } from "@nearfar/process";
import type { SeccompRules } from "@nearfar/seccomp";
import { blocked, wall } from "./clock.ts";
import { heapRow } from "./heap.ts";
import type { Row } from "./row.ts";
import { spawned } from "./spawn.ts";

const COUNT = 30;
const BURST = 500;

const peerName = "child_process.spawn of /bin/true";

/** Measures what the option `capabilities` takes: reading the sets of this thread, and some forty calls of the task. */
const spawnCaps: Row = {
	name: "spawn-caps",
	unit: "ms",
	peerName: "spawn of /bin/true without the option",
	bar: 1.15,
	async start() {
		const ours = () => ended({ capabilities: [] });
		const refused = await ours().catch((error: Error) => error.message);
		return refused ?? { ours: () => wall(COUNT, ours), peer: () => wall(COUNT, () => ended()) };
	},
};

const seccomp: SeccompRules = {
	default: "allow",
	rules: [
		{ calls: ["keyctl", "add_key", "request_key", "bpf", "mount", "ptrace"], action: { errno: "EPERM" } },
		{ calls: ["ioctl"], args: [{ index: 1, op: "==", value: 0x5412, mask: 0xffff_ffff }], action: { errno: "EPERM" } },
	],
};

/** Measures what the option `seccomp` takes: compiling the rules, and one call of the task. */
const spawnFilter: Row = {
	name: "spawn-filter",
	unit: "ms",
	peerName: "spawn of /bin/true without the option",
	bar: 1.3,
	async start() {
		const both = { noNewPrivs: true };
		return {
			ours: () => wall(COUNT, () => ended({ ...both, seccomp })),
			peer: () => wall(COUNT, () => ended(both)),
		};
	},
};

/** Measures a program from its start to its end. */
export const spawnProgram: Row[] = [
	row("spawn-true", (side) => wall(COUNT, side), ended),
	row("spawn-true-blocked", (side) => blocked(COUNT, side), ended),
	row(
		"spawn-tree",
		(side) => wall(COUNT, side),
		() => ended({ killTree: true }),
	),
	{ ...row("spawn-burst", (side) => wall(1, () => burst(side)), ended), bar: 0.5, rounds: 7 },
	spawnCaps,
	spawnFilter,
	heapRow({ name: "spawn-50", bar: 0.35, clock: "wall", ours: "spawn", peer: "node", peerName }),
	heapRow({ name: "spawn-50-blocked", bar: 0.18, clock: "blocked", ours: "spawn", peer: "node", peerName }),
	heapRow({ name: "spawn-tree-50", bar: 0.42, clock: "wall", ours: "tree", peer: "node", peerName }),
];

type Side = () => Promise<void>;

function row(name: string, measure: (side: Side) => Promise<number>, ours: Side): Row {
	return {
		name,
		unit: "ms",
		peerName,
		async start() {
			return { ours: () => measure(ours), peer: () => measure(() => spawned("/bin/true")) };
		},
	};
}

async function ended(options?: SpawnOptions): Promise<void> {
	const child = await spawn("/bin/true", [], { stdio: "ignore", ...options });
	await child.check();
}

async function burst(side: Side): Promise<void> {
	await Promise.all(Array.from({ length: BURST }, side));
}
