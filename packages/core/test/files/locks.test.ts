import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { neverOpen, refusal, refused } from "../../../../test/refusal.ts";
import { type FileDescriptor, flock, lock, openat2, Task, testLock } from "../../src/index.ts";
import { makePlace } from "../place.ts";

const place = makePlace();
const path = () => join(place.folder, "file");
const open = () => openat2(path(), { flags: ["rdwr"] });
const held = refused("EAGAIN", "fcntl");
beforeAll(() => writeFileSync(path(), "0123456789"));

/** Resolves when a task is asleep, in the call that it makes. */
async function isBlocked(task: Task): Promise<void> {
	const state = () => /\) (\S)/.exec(readFileSync(`/proc/${task.pid}/stat`, "utf8"))?.[1];
	while (state() !== "S") await new Promise((resolve) => setImmediate(resolve));
}

/** Takes a classic lock of the task, which belongs to the process, on the first byte. */
function lockAsProcess(task: Task, fd: FileDescriptor): void {
	const [fcntl, F_SETLK, F_WRLCK] = [process.arch === "arm64" ? 25 : 72, 6, 1];
	const range = Buffer.alloc(32);
	range.writeUInt16LE(F_WRLCK, 0);
	range.writeBigInt64LE(1n, 16);
	task.syscall(fcntl, fd, F_SETLK, range);
}

describe.each([["near"], ["far"]])("%s", (where) => {
	const run = <T>(fn: () => T): T => (where === "near" ? fn() : place.task.run(fn));

	test("flock: shared locks stand beside each other, an exclusive one alone", () => {
		run(() => {
			using one = open();
			using two = open();
			flock(one, "shared");
			flock(two, "shared");
			expect(() => flock(one, "exclusive")).toThrow(refused("EAGAIN", "flock"));
			flock(two, "unlock");
			flock(one, "exclusive");
			expect(() => flock(two, "shared", { wait: false })).toThrow(refused("EAGAIN", "flock"));
			flock(one, "unlock");
			flock(two, "exclusive");
		});
	});

	test("flock: a copy has the lock too, which ends with the last copy", () => {
		run(() => {
			using other = open();
			const one = open();
			const copy = one.dup();
			flock(one, "exclusive");
			flock(copy, "exclusive");
			one.close();
			expect(() => flock(other, "shared")).toThrow(refused("EAGAIN", "flock"));
			copy.close();
			flock(other, "exclusive");
		});
	});

	test("lock: ranges that overlap exclude each other, and others do not", () => {
		run(() => {
			using one = open();
			using two = open();
			lock(one, "write", { start: 2, length: 3 });
			lock(two, "write", { start: 0, length: 2 });
			lock(two, "write", { start: 5n, length: 1n });
			expect(() => lock(two, "read", { start: 4, length: 1 })).toThrow(held);
			expect(() => lock(two, "write")).toThrow(held);
			lock(one, "unlock", { start: 4, length: 1 });
			lock(two, "read", { start: 4, length: 1 });
			lock(one, "unlock");
			lock(two, "write");
		});
	});

	test("lock: read locks stand beside each other, and a lock can be changed", () => {
		run(() => {
			using one = open();
			using two = open();
			lock(one, "read");
			lock(two, "read");
			expect(() => lock(one, "write")).toThrow(held);
			lock(two, "unlock");
			lock(one, "write");
			lock(one, "read", { start: 5 });
			lock(two, "read", { start: 5, length: 2 });
		});
	});

	test("testLock: tells of the first lock in the way, and takes none", () => {
		run(() => {
			using one = open();
			using two = open();
			expect(testLock(two, "write")).toBeUndefined();
			lock(one, "read", { start: 3, length: 4 });
			lock(one, "write", { start: 100 });
			expect(testLock(two, "write")).toEqual({ type: "read", start: 3n, length: 4n, pid: undefined });
			expect(testLock(two, "read")).toEqual({ type: "write", start: 100n, length: 0n, pid: undefined });
			expect(testLock(two, "read", { start: 0, length: 100 })).toBeUndefined();
			expect(testLock(one, "write")).toBeUndefined();
			lock(one, "unlock");
			expect(testLock(two, "write")).toBeUndefined();
		});
	});

	test("numbers that are not open, and pipes, are refused", () => {
		run(() => {
			using name = openat2(path(), { flags: ["path"] });
			for (const call of [() => flock(name, "shared"), () => lock(name, "read"), () => testLock(name, "read")])
				expect(call).toThrow(expect.objectContaining({ code: "EBADF" }));
			neverOpen((fd) => {
				expect(() => flock(fd, "shared")).toThrow(refused("EBADF", "flock"));
				expect(() => lock(fd, "read")).toThrow(refused("EBADF", "fcntl"));
			});
			using reader = openat2(path());
			expect(() => lock(reader, "write")).toThrow(refused("EBADF", "fcntl"));
			lock(reader, "read");
			using writer = openat2(path(), { flags: ["wronly"] });
			expect(() => lock(writer, "read")).toThrow(refused("EBADF", "fcntl"));
			flock(reader, "exclusive"); // flock does not look at the way in which the file is open
			lock(reader, "unlock");
		});
	});
});

test("a pid is told of a lock that belongs to a process, which excludes locks of open files", () => {
	using near = open();
	const { task } = place;
	const far = task.run(open);
	lockAsProcess(task, far);
	expect(testLock(near, "read")).toEqual({ type: "write", start: 0n, length: 1n, pid: task.pid });
	expect(() => lock(near, "read", { length: 1 })).toThrow(held);
	lock(near, "write", { start: 1 });
	far.close();
	lock(near, "write");
});

describe.each([
	[
		"flock",
		(fd: FileDescriptor, wait: boolean) => flock(fd, "exclusive", { wait }),
		(fd: FileDescriptor) => flock(fd, "unlock"),
	],
	[
		"lock",
		(fd: FileDescriptor, wait: boolean) => lock(fd, "write", { wait }),
		(fd: FileDescriptor) => lock(fd, "unlock"),
	],
] as const)("%s with wait", (_, take, free) => {
	test("is refused near, also in a batch", async () => {
		using file = open();
		expect(refusal(() => take(file, true)).code).toBe("ERR_NEARFAR_NEAR");
		await expect(Task.near.batch(() => take(file, true))).rejects.toMatchObject({ code: "ERR_NEARFAR_NEAR" });
		await Task.near.batch(() => take(file, false));
		free(file);
	});

	test("waits in a batch until the lock is free, and then the near descriptor has it, too", async () => {
		await using task = await Task.clone();
		using holder = open();
		using near = open();
		using other = open();
		const far = task.put(near);
		take(holder, false);
		let waits = true;
		const batch = task
			.batch(() => take(far, true))
			.then(() => {
				waits = false;
			});
		await isBlocked(task);
		expect(waits).toBe(true);
		free(holder);
		await batch;
		take(near, false);
		expect(() => take(other, false)).toThrow(expect.objectContaining({ code: "EAGAIN" }));
	});

	test("waits in a batch, which ends when the task is disposed", async () => {
		const task = await Task.clone();
		using holder = open();
		using near = open();
		take(holder, false);
		const far = task.put(near);
		const end = expect(task.batch(() => take(far, true))).rejects.toMatchObject({ code: "ERR_NEARFAR_TASK_GONE" });
		await task[Symbol.asyncDispose]();
		await end;
		free(holder);
		take(near, false);
	});

	test("returns at once in run where the lock is free", async () => {
		await using task = await Task.clone();
		task.run(() => {
			using file = open();
			take(file, true);
		});
	});
});

test("a batch takes locks, and the first one that is taken ends it", async () => {
	await using task = await Task.clone();
	using near = open();
	flock(near, "shared");
	const far = await task.batch(() => {
		const file = open();
		flock(file, "shared");
		lock(file, "write", { start: 0, length: 1 });
		return file;
	});
	await expect(task.batch(() => flock(far, "exclusive"))).rejects.toMatchObject({ code: "EAGAIN", syscall: "flock" });
	await expect(task.batch(() => testLock(far, "read"))).rejects.toMatchObject({ code: "ERR_NEARFAR_BATCH" });
	expect(testLock(near, "read")).toMatchObject({ type: "write", start: 0n, length: 1n });
});

test("wrong arguments reach no kernel", () => {
	using file = open();
	const cases: [() => void, string][] = [
		[() => flock(file, "lock" as never), "ERR_INVALID_ARG_VALUE"],
		[() => flock(1 as never, "shared"), "ERR_INVALID_ARG_TYPE"],
		[() => flock(file, "shared", { wait: 1 as never }), "ERR_INVALID_ARG_TYPE"],
		[() => flock(file, "shared", { waits: true } as never), "ERR_INVALID_ARG_VALUE"],
		[() => lock(file, "shared" as never), "ERR_INVALID_ARG_VALUE"],
		[() => lock(file, "read", { start: -1 }), "ERR_OUT_OF_RANGE"],
		[() => lock(file, "read", { length: 2n ** 63n }), "ERR_OUT_OF_RANGE"],
		[() => lock(file, "read", { length: "1" as never }), "ERR_INVALID_ARG_TYPE"],
		[() => testLock(file, "unlock" as never), "ERR_INVALID_ARG_VALUE"],
		[() => testLock(file, "read", { wait: true } as never), "ERR_INVALID_ARG_VALUE"],
		[() => place.task.run(() => lock(file, "read")), "ERR_NEARFAR_FD_TABLE_MISMATCH"],
	];
	for (const [call, code] of cases) expect(refusal(call).code).toBe(code);
});
