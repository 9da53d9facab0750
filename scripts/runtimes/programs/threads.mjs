// Changes every thread of this process, prints what it has tried, and waits.
import { Worker } from "node:worker_threads";
import { setNoNewPrivs } from "@nearfar/process";

const worker = new Worker("setInterval(() => [], 1);", { eval: true });
const made = [];
for (let i = 0; i < 100; i++) {
	setNoNewPrivs({ process: true });
	made.push(Array.from({ length: 10_000 }, () => ({}))); // the collector of garbage stops threads by signals, too
	if (i % 10 === 0) await new Promise((resolve) => setTimeout(resolve, 1));
}
console.log(JSON.stringify({ pid: process.pid, made: made.length }));
await new Promise((resolve) => setTimeout(resolve, 60_000));
await worker.terminate();
