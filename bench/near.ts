import { getppid } from "@nearfar/credentials";
import { load } from "koffi";
import { loop } from "./clock.ts";
import { buildRaw, raw } from "./raw.ts";
import type { Row } from "./row.ts";

const COUNT = 200_000;

/** Measures a call in this process against the raw system call and against koffi. */
export const near: Row[] = [
	{
		name: "near-getppid",
		unit: "ns",
		peerName: "the system call in a loop (Rust)",
		bar: 1.5,
		async start() {
			buildRaw();
			return { ours: () => loop(COUNT, getppid), peer: () => raw("raw", "getppid", COUNT) };
		},
	},
	{
		name: "near-getppid-koffi",
		unit: "ns",
		peerName: "koffi",
		bar: 0.999, // less than 1
		async start() {
			const foreign = load("libc.so.6").func("int getppid()");
			return { ours: () => loop(COUNT, getppid), peer: () => loop(COUNT, foreign) };
		},
	},
];
