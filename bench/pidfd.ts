import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { PidFd } from "@nearfar/pidfd";
import { loop } from "./clock.ts";
import { answer } from "./exec.ts";
import { buildRaw } from "./raw.ts";
import type { Row } from "./row.ts";

const COUNT = 100_000;

/** Measures sending a signal by a pidfd, and the end of one process while many others are waited for. */
export const pidfd: Row[] = [
	{
		name: "pidfd-signal",
		unit: "ns",
		peerName: "process.kill(pid, 0)",
		bar: 1.2,
		async start() {
			const self = PidFd.self();
			const { pid } = process;
			return {
				ours: () => loop(COUNT, () => self.sendSignal(0)),
				peer: () => loop(COUNT, () => process.kill(pid, 0)),
				end: async () => self.close(),
			};
		},
	},
	{
		name: "pidfd-wait-10000",
		unit: "µs",
		peerName: "the same with 100 waited for (CPU for each exit)",
		bar: 1.5,
		rounds: 40,
		async start() {
			const crowd = buildRaw("crowd");
			const [many, few] = [await waiting(crowd, 10_000), await waiting(crowd, 100)];
			const end = async () => {
				await many.end();
				await few.end();
			};
			return { ours: many.ask, peer: few.ask, end };
		},
	},
];

/** Starts a separate Node that waits for `count` processes. */
async function waiting(crowd: string, count: number): Promise<{ ask(): Promise<number>; end(): Promise<void> }> {
	const node = fork(fileURLToPath(new URL("pidfd-waited.js", import.meta.url)), [crowd, String(count)]);
	await answer(node);
	const ask = () => {
		node.send("measure");
		return answer(node);
	};
	const end = async () => {
		node.disconnect();
		await once(node, "exit");
	};
	return { ask, end };
}
