import { expect, test } from "vitest";
import { AddressSpace, FDTable, OpenFile, openat2, PidNamespace, Task } from "../src/index.ts";

test("of a task: its own table and memory, Node's pid namespace", async () => {
	await using task = await Task.clone();
	const { near } = Task;
	expect(task.fdTable).toBeInstanceOf(FDTable);
	expect(task.addressSpace).toBeInstanceOf(AddressSpace);
	expect(task.pidNamespace).toBeInstanceOf(PidNamespace);
	expect(task.fdTable).not.toBe(near.fdTable);
	expect(task.addressSpace).not.toBe(near.addressSpace);
	expect(task.pidNamespace).toBe(near.pidNamespace);
	expect([task.fdTable.creatorPid, task.addressSpace.creatorPid]).toEqual([task.pid, task.pid]);
	expect([near.fdTable, near.addressSpace, near.pidNamespace].map(({ creatorPid }) => creatorPid)).toEqual(
		Array(3).fill(process.pid),
	);
});

test("each says what it is, and of whom", async () => {
	await using task = await Task.clone({ namespaces: ["user", "pid"] });
	expect(task.pidNamespace).not.toBe(Task.near.pidNamespace);
	const { fdTable, addressSpace, pidNamespace, pid } = task;
	expect(`${fdTable}, ${addressSpace}, ${pidNamespace}`).toBe(
		`descriptors of ${pid}, memory of ${pid}, pid namespace of ${pid}`,
	);
});

test("an open file is the same in every copy, wherever that is, and another one each time it is opened", async () => {
	await using task = await Task.clone();
	using fd = openat2("/dev/null");
	using copy = fd.dup();
	using other = openat2("/dev/null");
	const far = task.put(fd);
	using back = task.get(far);
	expect(fd.file).toBeInstanceOf(OpenFile);
	expect([copy.file, far.file, back.file]).toEqual([fd.file, fd.file, fd.file]);
	expect(copy.file === fd.file && far.file === fd.file && back.file === fd.file).toBe(true);
	expect(other.file === fd.file).toBe(false);
});
