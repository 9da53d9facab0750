import * as node from "node:child_process";
import { once } from "node:events";
import type { Readable, Writable } from "node:stream";
import { promisify } from "node:util";
import { spawn } from "@nearfar/process";
import { wall } from "./clock.ts";
import type { Row } from "./row.ts";

const COUNT = 30;
const GIGABYTE = 2 ** 30;
const CHUNK = Buffer.alloc(64 * 1024, "a");
const execFile = promisify(node.execFile);

/** Measures pipes: making them for one word of output, and carrying a gigabyte. */
export const spawnPipes: Row[] = [
	{
		name: "spawn-echo",
		unit: "ms",
		peerName: "child_process.execFile of echo",
		bar: 0.8,
		async start() {
			const peer = async () => expectText((await execFile("/bin/echo", ["hello"])).stdout);
			return { ours: () => wall(COUNT, echo), peer: () => wall(COUNT, peer) };
		},
	},
	{
		name: "spawn-cat-1g",
		unit: "ms",
		peerName: "child_process.spawn of cat",
		bar: 1.05,
		rounds: 7,
		async start() {
			const peer = async () => {
				const child = node.spawn("/bin/cat", { stdio: ["pipe", "pipe", "inherit"] });
				await Promise.all([once(child, "exit"), carry(child.stdin, child.stdout)]);
			};
			return { ours: () => wall(1, cat), peer: () => wall(1, peer) };
		},
	},
];

async function echo(): Promise<void> {
	const child = await spawn("/bin/echo", ["hello"]);
	let text = "";
	child.stdout?.setEncoding("utf8").on("data", (chunk) => {
		text += chunk;
	});
	await Promise.all([child.check(), child.stdout && once(child.stdout, "end")]);
	expectText(text);
}

async function cat(): Promise<void> {
	const child = await spawn("/bin/cat", [], { stdio: ["pipe", "pipe", "inherit"] });
	await Promise.all([child.check(), child.stdin && child.stdout && carry(child.stdin, child.stdout)]);
}

/** Writes a gigabyte into a program and reads the gigabyte back. */
async function carry(stdin: Writable, stdout: Readable): Promise<void> {
	let [sent, came] = [0, 0];
	const write = () => {
		while (sent < GIGABYTE) {
			sent += CHUNK.length;
			if (!stdin.write(CHUNK)) return stdin.once("drain", write);
		}
		return stdin.end();
	};
	stdout.on("data", (chunk: Buffer) => {
		came += chunk.length;
	});
	write();
	await once(stdout, "end");
	if (came !== GIGABYTE) throw new Error(`${came} bytes came back, not ${GIGABYTE}`);
}

function expectText(text: string): void {
	if (text !== "hello\n") throw new Error(`echo wrote ${JSON.stringify(text)}`);
}
