import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { reason } from "../../../../test/reason.ts";
import { statx, Task, TaskGoneError } from "../../src/index.ts";

const sendto = process.arch === "x64" ? 44 : 206;
const MSG_NOSIGNAL = 0x4000;
// The format of messages.
const wire = readFileSync(new URL("../../../../crates/linux/src/wire.rs", import.meta.url), "utf8");
const VERSION = Number(/VERSION: u32 = (0x[0-9a-f_]+)/.exec(wire)?.[1]?.replaceAll("_", ""));
const [HEADER, STEP] = [40, 72];

/** Sends `bytes` on the channel of a task, as a process would that has got hold of the task. */
function forge(task: Task, bytes: Uint8Array): bigint {
	return task.syscall(sendto, task.channelFd as number, bytes, bytes.length, MSG_NOSIGNAL, 0, 0) as bigint;
}

describe("a message of a task that no stub sends", () => {
	test.each([1, 8, 4096])("ends the task, and the caller learns why: %d bytes", async (length) => {
		const task = await Task.clone();
		expect(await reason(() => forge(task, Buffer.alloc(length)))).toBeInstanceOf(TaskGoneError);
		expect(await task.process.exited).toMatchObject({ signal: "SIGKILL" });
		expect(await reason(() => task.run(() => statx("/")))).toBeInstanceOf(TaskGoneError);
		await using other = await Task.clone();
		expect(other.run(() => statx("/").mode)).toBeGreaterThan(0);
	});

	test("is no reply to a later call, even where it looks like one", async () => {
		const task = await Task.clone();
		const forged = Buffer.alloc(HEADER + STEP);
		forged.writeUInt32LE(VERSION, 0);
		forged.writeUInt32LE(1, 8); // one step, which has run
		forged.writeUInt32LE(1, 24);
		const error = await reason(() => forge(task, forged));
		expect(error).toBeInstanceOf(TaskGoneError);
		expect(await task.process.exited).toMatchObject({ signal: "SIGKILL" });
	});

	test("stops neither spawns nor waits of other tasks", async () => {
		const parent = await Task.clone();
		const child = await parent.clone();
		// A surplus message lies in the channel when the reactor has the parent reap the child.
		await reason(() => forge(parent, Buffer.alloc(HEADER + STEP)));
		child.process.kill("SIGKILL");
		expect(await child.process.exited).toMatchObject({ signal: "SIGKILL" });
		await using other = await Task.clone();
		expect(other.run(() => statx("/").mode)).toBeGreaterThan(0);
	});
});
