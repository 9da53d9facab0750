import { fileURLToPath } from "node:url";
import { wall } from "./clock.ts";
import type { Row } from "./row.ts";
import { spawned } from "./spawn.ts";

/** Measures a program that imports the core and does not use it. */
export const imports: Row[] = [
	{
		name: "import",
		unit: "ms",
		peerName: "an empty module in a fresh Node",
		bar: 5,
		difference: true,
		rounds: 50,
		async start() {
			return { ours: () => wall(1, () => node("import-core")), peer: () => wall(1, () => node("empty")) };
		},
	},
];

function node(module: string): Promise<void> {
	return spawned(process.execPath, [fileURLToPath(new URL(`${module}.js`, import.meta.url))]);
}
