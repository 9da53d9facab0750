import { capget, dropCapabilities } from "@nearfar/caps";
import { loop } from "./clock.ts";
import { onOneCpu } from "./far.ts";
import { buildRaw, raw } from "./raw.ts";
import type { Row } from "./row.ts";

const READS = 100_000;
const DROPS = 2000;

/** Measures reading capabilities against the raw system call, and dropping them in a task against the same message without Node. */
export const caps: Row[] = [
	{
		name: "capget",
		unit: "ns",
		peerName: "the system call in a loop (Rust)",
		bar: 3,
		async start() {
			buildRaw();
			return { ours: () => loop(READS, () => capget()), peer: () => raw("raw", "capget", READS) };
		},
	},
	{
		name: "drop-caps",
		unit: "µs",
		peerName: "one message with the same calls (Rust)",
		bar: 1.3,
		async start() {
			if (!capget().effective.has("setpcap")) return "needs CAP_SETPCAP";
			buildRaw("far");
			return onOneCpu((task) => {
				const drop = () => dropCapabilities(["setpcap"]);
				return {
					ours: () => loop(DROPS, () => task.run(drop)) / 1000,
					peer: () => raw("far", "caps", DROPS) / 1000,
				};
			});
		},
	},
];
