import { readlinkSync } from "node:fs";
import { Namespace } from "@nearfar/namespaces";
import { loop } from "./clock.ts";
import type { Row } from "./row.ts";

const COUNT = 20_000;

/** Measures opening a namespace of a process, beside reading the link that names it. */
export const namespace: Row[] = [
	{
		name: "namespace-of",
		unit: "ns",
		peerName: "readlinkSync(/proc/pid/ns/net)",
		bar: 4,
		async start() {
			const { pid } = process;
			return {
				ours: () => loop(COUNT, () => Namespace.of(pid, "net").close()),
				peer: () => loop(COUNT, () => readlinkSync(`/proc/${pid}/ns/net`)),
			};
		},
	},
];
