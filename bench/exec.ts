import { heapRow } from "./heap.ts";
import type { Row } from "./row.ts";

const compared = { ours: "exec", peer: "node", peerName: "child_process.spawn of /bin/true" } as const;

/** Measures the start of a program from a Node with a given heap. */
export const exec: Row[] = [
	heapRow({ name: "exec-50", bar: 0.5, clock: "wall", ...compared }),
	heapRow({ name: "exec-50-blocked", bar: 0.25, clock: "blocked", ...compared }),
	heapRow({ name: "exec-2000", bar: 0.03, clock: "wall", megabytes: 2000, ...compared }),
];
