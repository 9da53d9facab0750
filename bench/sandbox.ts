import { wall } from "./clock.ts";
import { heapRow } from "./heap.ts";
import type { Row } from "./row.ts";
import { bwrapWithoutNesting, bwrapWithSameMounts, loadIsolate } from "./sandbox-programs.ts";
import { installed, spawned } from "./spawn.ts";

const COUNT = 10;

/** Measures the whole sandbox of examples/isolate.ts. */
export const sandbox: Row[] = [
	{
		name: "demo-sandbox",
		unit: "ms",
		peerName: "bwrap with the same mounts",
		async start() {
			const reason = await missing();
			if (reason !== undefined) return reason;
			const isolate = await loadIsolate();
			const ours = async () => (await isolate(["true"])).check();
			return { ours: () => wall(COUNT, ours), peer: () => wall(COUNT, () => spawned("bwrap", bwrapWithSameMounts())) };
		},
	},
	heapRow({
		name: "sandbox-50",
		bar: 0.8,
		clock: "wall",
		ours: "sandbox",
		peer: "node",
		peerName: "child_process.spawn of /bin/true, unsandboxed",
	}),
	heapRow({
		name: "sandbox-bwrap-50",
		bar: 0.42,
		clock: "wall",
		ours: "sandbox",
		peer: "bwrap",
		peerName: "bwrap with the same mounts and --disable-userns",
		missing: async () => (await missing()) ?? (await refused()),
	}),
];

async function missing(): Promise<string | undefined> {
	return (await installed("bwrap", "--version")) ? undefined : "bwrap is not installed (Debian: bubblewrap)";
}

/** Returns why bwrap cannot run with `--disable-userns`, which exists since 0.8.0. */
async function refused(): Promise<string | undefined> {
	return spawned("bwrap", bwrapWithoutNesting()).then(
		() => undefined,
		(error: Error) => `bwrap with --disable-userns fails: ${error.message}`,
	);
}
