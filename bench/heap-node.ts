// A Node that uses as many megabytes as its argument says. When asked, the program makes one operation many times and
// reports the time.
import { Task } from "@nearfar/core";
import { type SpawnOptions, spawn } from "@nearfar/process";
import { blocked, type Operation, wall } from "./clock.ts";
import { bwrapWithoutNesting, loadIsolate } from "./sandbox-programs.ts";
import { bwrapWithMountsOfRun, HiddenFiles, Opened, runTrue } from "./sandbox-run-programs.ts";
import { spawned } from "./spawn.ts";

export interface Question {
	readonly operation: keyof typeof operations;
	readonly clock: keyof typeof clocks;
	readonly count: number;
}

const PIECE = 64 * 1024;
const clocks = { wall, blocked };
const isolate = await loadIsolate();
const sameMounts = bwrapWithMountsOfRun();
const opened = new Opened();
const hidden = new HiddenFiles();
const operations = {
	/** A task that executes a program. */
	async exec() {
		const task = await Task.clone();
		await task.exec("/bin/true").check();
	},
	/** A task alone, which ends when the time was taken. */
	clone: () => Task.clone(),
	spawn: () => ended(),
	tree: () => ended({ killTree: true }),
	async sandbox() {
		const child = await isolate(["true"]);
		await child.check();
	},
	bwrap: () => spawned("bwrap", bwrapWithoutNesting()),
	/** One command in a sandbox of its own. */
	run: () => runTrue(),
	/** bwrap with the mounts of `run`. */
	bwrapRun: () => spawned("bwrap", sameMounts),
	/** One more command in a sandbox that is open. */
	runInOpen: () => opened.runTrue(),
	runHiding: () => hidden.runTrue(true),
	runHidingNone: () => hidden.runTrue(false),
	/** The program started by Node. */
	node: () => spawned("/bin/true"),
	/** The program looked up in `PATH`. */
	nodeLookup: () => spawned("true"),
} satisfies Record<string, Operation>;

const pieces = (Number(process.argv[2]) * 1024 * 1024) / PIECE;
const heap = Array.from({ length: pieces }, () => Buffer.alloc(PIECE, 1));

process.on("message", async ({ operation, clock, count }: Question) => {
	process.send?.(await clocks[clock](count, operations[operation]));
});
process.on("disconnect", async () => {
	heap.splice(0);
	hidden.remove();
	await opened.close();
});
process.send?.(0);

async function ended(options?: SpawnOptions): Promise<void> {
	const child = await spawn("/bin/true", [], { stdio: "ignore", ...options });
	await child.check();
}
