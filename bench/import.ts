import { fileURLToPath } from "node:url";
import { wall } from "./clock.ts";
import type { Row } from "./row.ts";
import { spawned } from "./spawn.ts";

/** What does a program pay that imports the core and does nothing with it? */
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
