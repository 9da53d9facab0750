import { heapRow } from "./heap.ts";
import type { Row } from "./row.ts";
import { bwrapWithMountsOfRun } from "./sandbox-run-programs.ts";
import { installed, spawned } from "./spawn.ts";

const plain = { peer: "nodeLookup", peerName: "child_process.spawn of true, unsandboxed" } as const;

/** Measures `run` of @nearfar/sandbox, from a Node of 50 MB. */
export const sandboxRun: Row[] = [
	heapRow({
		name: "sandbox-run",
		bar: 0.45,
		clock: "wall",
		ours: "run",
		peer: "bwrapRun",
		peerName: "bwrap with the same mounts and --disable-userns",
		missing: bwrapMissing,
	}),
	heapRow({ name: "sandbox-run-plain", bar: 1, clock: "wall", ours: "run", ...plain }),
	heapRow({ name: "sandbox-blocked", bar: 0.25, clock: "blocked", ours: "run", ...plain }),
	heapRow({ name: "sandbox-open-run", bar: 0.45, clock: "wall", ours: "runInOpen", ...plain }),
	heapRow({
		name: "sandbox-hide-100",
		bar: 2,
		clock: "wall",
		ours: "runHiding",
		peer: "runHidingNone",
		peerName: "the same with no hidden file",
	}),
];

/** Returns why bwrap cannot run with the mounts of `run`. `--disable-userns` exists since 0.8.0. */
async function bwrapMissing(): Promise<string | undefined> {
	if (!(await installed("bwrap", "--version"))) return "bwrap is not installed (Debian: bubblewrap)";
	return spawned("bwrap", bwrapWithMountsOfRun()).then(
		() => undefined,
		(error: Error) => `bwrap with the mounts of run fails: ${error.message}`,
	);
}
