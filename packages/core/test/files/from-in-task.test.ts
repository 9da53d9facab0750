import { closeSync, openSync, readdirSync } from "node:fs";
import { expect, test } from "vitest";
import { needs } from "../../../../test/needs.ts";
import { reason } from "../../../../test/reason.ts";
import { EventFd, FileDescriptor, OpenFile, openat2, pipe, Task } from "../../src/index.ts";

const [eventfd2, getpid] = process.arch === "x64" ? [290, 39] : [19, 172];

test("a number that a call by number has returned in a task is taken over there", async () => {
	await using task = await Task.clone();
	const number = Number(task.syscall(eventfd2, 7, 0));
	const counter = task.run(() => EventFd.from(number));
	expect([counter.fd, counter.table === task.fdTable, counter instanceof EventFd]).toEqual([number, true, true]);
	expect(counter.file).toBeInstanceOf(OpenFile);
	expect(task.run(() => counter.read())).toBe(7n);
	counter.close();
	expect(await reason(() => task.run(() => FileDescriptor.from(number)))).toMatchObject({
		code: "EBADF",
		syscall: "fcntl",
		task: `${task}`,
	});
});

test("the same number near stays a descriptor of this process", async () => {
	await using task = await Task.clone();
	const number = openSync("/dev/null", "r");
	expect(await reason(() => task.run(() => FileDescriptor.from(number)))).toMatchObject({ code: "EBADF" });
	using near = task.run(() => Task.near.run(() => FileDescriptor.from(number)));
	expect(near.table).toBe(Task.near.fdTable);
	const borrowed = openSync("/dev/null", "r");
	expect(task.run(() => FileDescriptor.borrow(borrowed)).table).toBe(Task.near.fdTable);
	closeSync(borrowed);
});

test("a number has one owner in a table, and a shared table is one table", async () => {
	await using task = await Task.clone();
	await using twin = await task.clone({ share: ["files"] });
	const file = task.run(() => openat2("/dev/null"));
	const { fd } = file;
	for (const owner of [task, twin]) {
		expect(await reason(() => owner.run(() => FileDescriptor.from(fd)))).toMatchObject({ code: "ERR_OUT_OF_RANGE" });
	}
	expect(file.closed).toBe(false);
	const number = file.take();
	const taken = twin.run(() => FileDescriptor.from(number));
	expect([taken.table === task.fdTable, task.run(() => taken.dup().fd > number)]).toEqual([true, true]);
	taken.close();
	expect(await reason(() => task.run(() => FileDescriptor.from(number)))).toMatchObject({ code: "EBADF" });
});

test("the channels of a table are not taken over", async () => {
	await using task = await Task.clone();
	await using twin = await task.clone({ share: ["files"] });
	for (const owner of [task, twin]) {
		const channel = owner.channelFd as number;
		expect(await reason(() => task.run(() => FileDescriptor.from(channel)))).toMatchObject({
			code: "ERR_OUT_OF_RANGE",
		});
	}
	expect([task.syscall(getpid), twin.syscall(getpid)]).toEqual([BigInt(task.pid), BigInt(twin.pid)]);
});

needs("/proc").test(
	"standard input of a task is taken over and closed, and that of this process stays open",
	async () => {
		await using task = await Task.clone();
		task.run(() => FileDescriptor.from(0)).close();
		expect(readdirSync(`/proc/${task.pid}/fd`)).not.toContain("0");
		expect(readdirSync("/proc/self/fd")).toContain("0");
	},
);

test("in a batch of a task a number is not taken over, and nothing has run", async () => {
	await using task = await Task.clone();
	const [read, write] = pipe();
	const far = task.put(write);
	const batch = () =>
		task.batch(() => {
			far.write("x");
			FileDescriptor.from(far.fd);
		});
	expect(await reason(batch)).toMatchObject({ name: "BatchError", code: "ERR_NEARFAR_BATCH" });
	read.blocking = false;
	expect(await reason(() => read.read(1))).toMatchObject({ code: "EAGAIN" });
	for (const fd of [read, write]) fd.close();
});

test("a child's pidfd is one of this process, whichever task asks for it first", async () => {
	await using task = await Task.clone();
	await using child = await task.clone();
	expect(task.run(() => child.process.fd).table).toBe(Task.near.fdTable);
});
