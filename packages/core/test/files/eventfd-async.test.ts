import { setImmediate } from "node:timers/promises";
import { adoptDescriptor } from "@nearfar/core/internal";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { runFixture } from "../../../../test/fixture.ts";
import { EventFd, type FileDescriptor, Task } from "../../src/index.ts";

const closedError = { name: "ClosedError", code: "ERR_NEARFAR_CLOSED" };
let task: Task;
beforeAll(async () => {
	task = await Task.clone();
});
afterAll(() => task[Symbol.asyncDispose]());

/** Returns the state of a promise after a few turns of the event loop. */
async function soFar<T>(promise: Promise<T>): Promise<T | undefined> {
	let value: T | undefined;
	promise.then((found) => (value = found)).catch(() => {});
	for (let turn = 0; turn < 20; turn++) await setImmediate();
	return value;
}

describe.each([
	["near", false],
	["near, blocking", true],
	["far", false],
	["far, blocking", true],
])("readAsync %s", (where, blocking) => {
	const far = where.startsWith("far");
	const run = <T>(fn: () => T): T => (far ? task.run(fn) : fn());
	const create = (options = {}) => run(() => EventFd.create({ blocking, ...options }));

	test("resolves at once where there is something", async () => {
		using counter = create({ initial: 3 });
		expect(await counter.readAsync()).toBe(3n);
	});

	test("waits for what is added, here or by a copy of it, and waits again", async () => {
		using counter = create();
		const add = async (value: bigint) => run(() => counter.write(value));
		for (const value of [1n, 2n ** 64n - 2n, 5n]) {
			const read = counter.readAsync();
			expect(await soFar(read)).toBeUndefined();
			await add(value);
			expect(await read).toBe(value);
		}
		using copy = far ? task.get(counter) : task.put(counter);
		const read = counter.readAsync();
		if (far) copy.write(4n);
		else task.run(() => copy.write(4n));
		expect(await read).toBe(4n);
	});

	test("several are served in their order, each of one value", async () => {
		using counter = create({ semaphore: true });
		const served: number[] = [];
		const reads = [0, 1, 2, 3].map(async (index) => {
			expect(await counter.readAsync()).toBe(1n);
			served.push(index);
		});
		run(() => counter.write(3n));
		await Promise.all(reads.slice(0, 3));
		expect(served).toEqual([0, 1, 2]);
		run(() => counter.write(1n));
		await reads[3];
		expect(served).toEqual([0, 1, 2, 3]);
	});

	test("an abort while it waits takes nothing, whether the value comes before or after it", async () => {
		using counter = create();
		const [first, second] = [new AbortController(), new AbortController()];
		const reads = [first, second].map(({ signal }) => counter.readAsync({ signal }));
		run(() => counter.write(1n)); // the counter is readable, and no event has arrived yet
		for (const controller of [first, second]) controller.abort();
		for (const read of reads) await expect(read).rejects.toMatchObject({ name: "AbortError" });
		expect(await soFar(counter.readAsync())).toBe(1n);

		const [gone, stays] = [new AbortController(), counter.readAsync()];
		const last = counter.readAsync({ signal: gone.signal });
		gone.abort(new Error("enough"));
		await expect(last).rejects.toMatchObject({ code: "ABORT_ERR" });
		run(() => counter.write(2n));
		expect(await stays).toBe(2n);
		await expect(counter.readAsync({ signal: gone.signal })).rejects.toMatchObject({ code: "ABORT_ERR" });
	});

	test("an abort after the value was read changes nothing", async () => {
		using counter = create({ initial: 6 });
		const controller = new AbortController();
		const read = counter.readAsync({ signal: controller.signal });
		controller.abort();
		expect(await read).toBe(6n);
	});

	test("somebody else may take the value first: it waits on", async () => {
		using counter = create();
		const read = counter.readAsync();
		run(() => {
			counter.write(1n);
			expect(counter.read()).toBe(1n);
		});
		expect(await soFar(read)).toBeUndefined();
		run(() => counter.write(2n));
		expect(await read).toBe(2n);
	});

	test.each([
		["close", (fd: FileDescriptor) => fd.close()],
		["take", (fd: FileDescriptor) => run(() => adoptDescriptor(fd.take()).close())],
	])("%s while it waits rejects with ClosedError", async (_, end) => {
		using counter = create();
		const reads = [counter.readAsync(), counter.readAsync()];
		await setImmediate();
		end(counter);
		for (const read of reads) await expect(read).rejects.toMatchObject(closedError);
		await expect(counter.readAsync()).rejects.toMatchObject(closedError);
	});
});

test("every value of many comes to one of many readers, of whom many give up", async () => {
	using counter = EventFd.create({ semaphore: true });
	using far = task.put(counter);
	const [values, readers] = [300, 600];
	let taken = 0;
	let given = 0;
	const add = () => {
		if (given % 2) task.run(() => far.write(1n));
		else counter.write(1n);
		given++;
	};
	const controllers = Array.from({ length: readers }, () => new AbortController());
	const reads = controllers.map(async ({ signal }, index) => {
		try {
			const value = await (index % 3 ? counter : far).readAsync({ signal });
			taken += Number(value);
		} catch (error) {
			expect(error).toMatchObject({ name: "AbortError" });
		}
	});
	for (const [index, controller] of controllers.entries()) {
		if (index % 2) add();
		else controller.abort();
		if (index % 7 === 0) await setImmediate();
	}
	expect(given).toBe(values);
	await expect.poll(() => taken).toBe(values);
	for (const controller of controllers) controller.abort();
	await Promise.all(reads);
	expect(() => counter.read()).toThrow(expect.objectContaining({ code: "EAGAIN" }));
});

test("a signal that is none, and options that are none", async () => {
	using counter = EventFd.create({ initial: 1 });
	await expect(counter.readAsync({ signal: {} as never })).rejects.toMatchObject({ code: "ERR_INVALID_ARG_TYPE" });
	await expect(counter.readAsync(1 as never)).rejects.toMatchObject({ code: "ERR_INVALID_ARG_TYPE" });
	expect(counter.read()).toBe(1n);
});

test("it keeps the event loop alive while it waits, is not collected, and ends with its Worker", async () => {
	const { report, code, stderr } = await runFixture("core/eventfd", { node: ["--expose-gc"] });
	expect(stderr).not.toContain("Error");
	expect(code).toBe(0);
	expect(report).toEqual({ alive: "1", collected: "2", left: ["3", "waits"], aborted: "AbortError" });
});
