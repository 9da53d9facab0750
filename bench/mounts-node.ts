// A Node in a mount namespace of its own. For each line of its standard input the program looks at all mounts many times: "ours"
// with listmount and statmount, "peer" by reading and parsing mountinfo. Then the program writes how many microseconds one look takes.
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { listmount, parseMountinfo, statmount } from "@nearfar/mount";
import { loop } from "./clock.ts";

const COUNT = 20;

function ours(): void {
	for (const id of listmount()) statmount(id);
}

function peer(): void {
	parseMountinfo(readFileSync("/proc/self/mountinfo"));
}

for await (const line of createInterface(process.stdin)) {
	console.log(loop(COUNT, line === "ours" ? ours : peer) / 1000);
}
