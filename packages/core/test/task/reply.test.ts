import { describe, expect, test } from "vitest";
import { reason } from "../../../../test/reason.ts";
import { statx, Task, TaskGoneError } from "../../src/index.ts";

const sendto = process.arch === "x64" ? 44 : 206;
const MSG_NOSIGNAL = 0x4000;

/** Sends `bytes` on the channel of a task, as a process would that has got hold of the task. */
function forge(task: Task, bytes: Uint8Array): bigint {
	return task.syscall(sendto, task.channelFd as number, bytes, bytes.length, MSG_NOSIGNAL, 0, 0);
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
});
