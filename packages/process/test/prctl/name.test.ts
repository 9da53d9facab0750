import { readFileSync } from "node:fs";
import { BatchError, MultithreadedError, Task } from "@nearfar/core";
import { expect, test } from "vitest";
import { getName, setName } from "../../src/index.ts";

const comm = (pid: number) => readFileSync(`/proc/${pid}/comm`);

test("a task is named, from a batch too, and what it executes has another name", async () => {
	await using task = await Task.clone();
	task.run(() => setName("worker 1"));
	expect([task.run(getName), `${comm(task.pid)}`]).toEqual(["worker 1", "worker 1\n"]);
	await task.batch(() => setName(Buffer.from([0x77, 0xff])));
	expect([...comm(task.pid)]).toEqual([0x77, 0xff, 10]);
	expect(task.run(getName)).toBe("w\ufffd");
	task.run(() => setName(""));
	expect([task.run(getName), `${comm(task.pid)}`]).toEqual(["", "\n"]);
	await using sleep = task.exec("sleep", ["sleep", "60"]);
	expect(`${comm(sleep.pid)}`).toBe("sleep\n");
});

test("PRC-07 more than 15 bytes are cut off, and other threads keep their name", async () => {
	const before = getName();
	await using task = await Task.clone();
	task.run(() => setName("0123456789abcdefgh"));
	expect([task.run(getName), `${comm(task.pid)}`]).toEqual(["0123456789abcde", "0123456789abcde\n"]);
	expect(getName()).toBe(before);
});

test("near it is refused, and nothing changes", () => {
	const before = getName();
	expect(() => setName("one thread")).toThrow(MultithreadedError);
	expect(getName()).toBe(before);
});

test("wrong names reach no kernel, and a batch has no name yet", async () => {
	await using task = await Task.clone();
	for (const name of ["a\0b", Buffer.from("a\0b")]) {
		expect(() => task.run(() => setName(name))).toThrow(expect.objectContaining({ code: "ERR_INVALID_ARG_VALUE" }));
	}
	expect(() => task.run(() => setName(1 as unknown as string))).toThrow(
		expect.objectContaining({ code: "ERR_INVALID_ARG_TYPE" }),
	);
	await expect(task.batch(getName)).rejects.toThrow(BatchError);
});
