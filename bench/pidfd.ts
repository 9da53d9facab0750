import { PidFd } from "@nearfar/pidfd";
import { loop } from "./clock.ts";
import { forked } from "./forked.ts";
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
			const [many, few] = [await forked("pidfd-waited", crowd, 10_000), await forked("pidfd-waited", crowd, 100)];
			const end = async () => {
				await many.end();
				await few.end();
			};
			return { ours: () => many.ask(), peer: () => few.ask(), end };
		},
	},
];
