import { fileURLToPath } from "node:url";
import { wall } from "./clock.ts";
import type { Row } from "./row.ts";
import { spawned } from "./spawn.ts";

const program = fileURLToPath(new URL("../../packages/nearfar/dist/nearfar.js", import.meta.url));

/** Measures the command `nearfar run true` against a Node that does nothing. */
export const nearfarRun: Row[] = [
	{
		name: "nearfar-run",
		unit: "ms",
		peerName: "node -e 0",
		bar: 20,
		difference: true,
		async start() {
			return {
				ours: () => wall(1, () => spawned(process.execPath, [program, "run", "--preset", "closed", "true"])),
				peer: () => wall(1, () => spawned(process.execPath, ["-e", "0"])),
			};
		},
	},
];
