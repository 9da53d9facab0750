import { readdirSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { ownProc } from "../../../../test/own-proc.ts";
import { reason } from "../../../../test/reason.ts";
import { type FileDescriptor, Location, openat2, pipe, Task } from "../../src/index.ts";

function descriptors(task: Task | typeof Task.near): string[] {
	task.syscall(process.arch === "x64" ? 39 : 172); // the task closes the descriptors of the previous message before this call
	return readdirSync(`/proc/${task.pid}/fd`).sort();
}

const batchError = { name: "BatchError", code: "ERR_NEARFAR_BATCH" };

describe.each([["near"], ["far"]])("batch %s", (where) => {
	const start = async () => {
		const task = where === "near" ? undefined : await Task.clone();
		return { task: task ?? Task.near, [Symbol.asyncDispose]: async () => task?.[Symbol.asyncDispose]() };
	};

	test("runs what was collected, and descriptors are used by later calls of it", async () => {
		await using started = await start();
		const { task } = started;
		const files = await task.batch(() => {
			using folder = openat2("/", { flags: ["path"] });
			const file = openat2(new Location(folder, "dev/zero"));
			const copy = file.dup({ min: 130 });
			const [read, write] = pipe();
			const end = write.dup();
			return { folder, file, copy, read, write, end };
		});
		const { folder, file, copy, read, write, end } = files;
		expect([folder.closed, file.closed, copy.fd >= 130]).toEqual([true, false, true]);
		expect([copy.file === file.file, end.file === write.file, file.table === task.fdTable]).toEqual([true, true, true]);
		task.run(() => {
			expect(end.write("x")).toBe(1);
			expect(`${read.read(5)}`).toBe("x");
			expect(copy.read(1)).toEqual(Buffer.alloc(1));
		});
		for (const fd of [file, copy, read, write, end]) fd.close();
	});

	test("a value that is not there yet throws BatchError, and nothing has run", async () => {
		await using started = await start();
		const { task } = started;
		const before = descriptors(task);
		const needs: ((fd: FileDescriptor) => unknown)[] = [
			(fd) => fd.read(1),
			(fd) => fd.fd,
			(fd) => fd.take(),
			(fd) => fd.blocking,
			(fd) => fd.closeOnExec,
		];
		for (const need of needs) {
			let made: FileDescriptor | undefined;
			const batch = () => {
				made = openat2("/dev/zero");
				need(made);
			};
			expect(await reason(() => task.batch(batch))).toMatchObject(batchError);
			expect(made?.closed).toBe(true);
		}
		expect(descriptors(task)).toEqual(before);
		expect(Task.current()).toBe(Task.near);
	});

	test("a descriptor of it is nothing until it has run, and nothing when it failed", async () => {
		await using started = await start();
		const { task } = started;
		let made: FileDescriptor | undefined;
		const running = task.batch(() => {
			made = openat2("/dev/zero");
		});
		// All batches begin in one turn, before a reply can arrive.
		const early = [
			reason(() => made?.fd),
			reason(() => task.run(() => made?.read(1))),
			reason(() => task.batch(() => made?.dup())),
		];
		for (const error of await Promise.all(early)) expect(error).toMatchObject(batchError);
		await running;
		expect(made?.fd).toBeGreaterThan(2);
		made?.close();
	});

	test("stops at the first error, names its step, and closes what earlier steps made", async () => {
		await using started = await start();
		const { task } = started;
		const before = descriptors(task);
		const made: FileDescriptor[] = [];
		const error = await reason(() =>
			task.batch(() => {
				made.push(openat2("/dev/zero"), ...pipe());
				made[0]?.close();
				made.push(openat2("/dev/null"), openat2("/nope"));
				made.push(openat2("/dev/full"));
			}),
		);
		expect(error).toMatchObject({ code: "ENOENT", syscall: "openat2", path: "/nope", step: 4 });
		expect(made.map((fd) => fd.closed)).toEqual([true, true, true, true, true, true]);
		expect(descriptors(task)).toEqual(before);
	});

	test("a function that throws ends it, and nothing has run", async () => {
		await using started = await start();
		const { task } = started;
		const before = descriptors(task);
		const batch = () => {
			openat2("/dev/zero");
			throw new Error("no");
		};
		expect(await reason(() => task.batch(batch))).toMatchObject({ message: "no" });
		expect(descriptors(task)).toEqual(before);
	});

	test("collects 1000 calls, and none", async () => {
		await using started = await start();
		const { task } = started;
		expect(await task.batch(() => 5)).toBe(5);
		const path = `${"./".repeat(500)}dev/null`;
		using root = task.run(() => openat2("/", { flags: ["path"] }));
		await task.batch(() => {
			for (let i = 0; i < 1000; i++) openat2(new Location(root, path)).close();
		});
		using file = task.run(() => openat2("/dev/null"));
		expect(file.fd).toBeLessThan(100);
	});
});

test("a failing close is a step like others", async () => {
	await using task = await Task.clone();
	using fd = task.run(() => openat2("/dev/null"));
	task.syscall(process.arch === "x64" ? 3 : 57, fd);
	const error = await reason(() => task.batch(() => fd.close()));
	expect(error).toMatchObject({ code: "EBADF", syscall: "close", step: 0, task: task.toString() });
});

test("another task may be run in the middle, at once", async () => {
	await using task = await Task.clone();
	await using other = await Task.clone();
	const [late, now] = await task.batch(() => {
		const late = openat2(`${ownProc}/self/stat`);
		return [late, other.run(() => openat2(`${ownProc}/self/stat`).read(20))] as const;
	});
	expect(Number.parseInt(`${now}`, 10)).toBe(other.pid);
	expect(Number.parseInt(`${task.run(() => late.read(20))}`, 10)).toBe(task.pid);
});
