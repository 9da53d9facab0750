import { probe, Task } from "@nearfar/core";
import { wall } from "./clock.ts";
import type { Row } from "./row.ts";

const COUNT = 3;
const MOST = 100; // ms that a probe may take

/** Measures a probe of the whole machine against the time that it may take. */
export const probing: Row[] = [
	{
		name: "probe",
		unit: "ms",
		peerName: "the 100 ms that a probe may take",
		bar: 1,
		rounds: 5,
		async start() {
			await (await Task.clone()).exit(); // the zygote is there
			return { ours: () => wall(COUNT, () => probe()), peer: () => MOST };
		},
	},
];
