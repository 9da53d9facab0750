import { setresuid } from "@nearfar/credentials";
import { wall } from "./clock.ts";
import type { Row } from "./row.ts";

const COUNT = 100;

/** Measures a change of every thread of this Node that changes nothing against the C library's own. */
export const everyThread: Row[] = [
	{
		name: "process-drop",
		unit: "ms",
		peerName: "process.seteuid, which is libc's and verifies nothing",
		bar: 3,
		difference: true,
		async start() {
			return {
				ours: () => wall(COUNT, async () => setresuid(-1, -1, -1, { process: true })),
				peer: () => wall(COUNT, async () => process.seteuid?.(process.geteuid?.() ?? 0)),
			};
		},
	},
];
