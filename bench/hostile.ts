import { randomBytes, randomInt } from "node:crypto";
import { readFileSync } from "node:fs";
import { Process, Task } from "@nearfar/core";

const sendto = process.arch === "arm64" ? 206 : 44;
const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;
// The format of messages: crates/linux/src/wire.rs.
const [HEADER, STEP, NOTICE] = [40, 72, 1];
const wire = readFileSync(new URL("../../crates/linux/src/wire.rs", import.meta.url), "utf8");
const version = Number(/VERSION: u32 = (0x[0-9a-f_]+)/.exec(wire)?.[1]?.replaceAll("_", ""));

/** Tasks that send on their channel what no stub sends, as operations for the soak. */
export const hostile: Readonly<Record<string, (round: number) => Promise<unknown>>> = {
	async "random bytes"() {
		await expectEnd((task) => forge(task, randomBytes(randomInt(1, 4096))));
	},
	async "a reply with mistakes, or of another serial number"(round) {
		await expectEnd((task) => forge(task, reply(round)));
	},
	async "a notice, and no program"() {
		await expectEnd((task) => forge(task, Buffer.alloc(NOTICE)));
	},
	async "many messages at once"(round) {
		await expectEnd((task) => {
			for (let count = 0; count < 20; count++) forge(task, reply(round + count));
		});
	},
	async "a forged reply while a child of the task is waited for"(round) {
		const parent = await Task.clone();
		const child = await parent.clone();
		endsSooner(() => forge(parent, reply(round)));
		child.process.kill("SIGKILL");
		await child.process.exited;
		await parent[Symbol.asyncDispose]();
	},
	async "a forged reply before a clone, a batch and a program"(round) {
		const task = await Task.clone();
		endsSooner(() => forge(task, reply(round)));
		const later = [
			() => task.clone().then((child) => child[Symbol.asyncDispose]()),
			() => task.batch(() => new Process(task.pid).kill(0)),
			async () => task.exec("/bin/true").check(),
		];
		await Promise.allSettled(later.map((start) => start()));
		await task[Symbol.asyncDispose]();
	},
};

/** Sends `bytes` on the channel of a task, as a process would that has got hold of the task. */
function forge(task: Task, bytes: Uint8Array): void {
	task.syscall(sendto, task.channelFd as number, bytes, bytes.length, MSG_DONTWAIT | MSG_NOSIGNAL, 0, 0);
}

/** Returns what looks like the reply to one call, with some fields at random. */
function reply(round: number): Buffer {
	const bytes = Buffer.alloc(HEADER + STEP + 8 * randomInt(0, 3));
	bytes.writeUInt32LE(version, 0);
	for (const at of [4, 8, 12, 16, 20, 24, 28, 32]) bytes.writeUInt32LE(randomInt(0, 3), at);
	if (round % 3 === 0) randomBytes(4).copy(bytes, 4 * randomInt(0, bytes.length / 4));
	return bytes;
}

/** Has a task forge messages, and makes calls until the task is gone. */
async function expectEnd(forgeAll: (task: Task) => void): Promise<void> {
	const task = await Task.clone();
	endsSooner(() => {
		forgeAll(task);
		for (let call = 0; call < 100; call++) task.run(() => new Process(task.pid).kill(0));
		throw new Error("the task goes on");
	});
	const { signal } = await task.process.exited;
	if (signal !== "SIGKILL") throw new Error(`the task ended with ${signal}`);
}

/** Calls `fn`, which may fail because the task is gone, or with the error that a forged reply holds. */
function endsSooner(fn: () => void): void {
	try {
		fn();
	} catch (error) {
		if ((error as NodeJS.ErrnoException).code === undefined) throw error;
	}
}
