import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { forbid } from "../../../../test/seccomp.ts";
import { EventFd, FileDescriptor, Task } from "../../src/index.ts";

const [eventfd2, prlimit64] = process.arch === "x64" ? [290, 302] : [19, 261];
const [CLOEXEC, NONBLOCK, most] = [0o2000000, 0o4000, 2n ** 64n - 2n];
const empty = expect.objectContaining({ name: "SyscallError", code: "EAGAIN", syscall: "read" });
let task: Task;
beforeAll(async () => {
	task = await Task.clone();
});
afterAll(() => task[Symbol.asyncDispose]());

/** Returns a field of `/proc/<pid>/fdinfo/<fd>`. */
function info(fd: FileDescriptor, field: string): string | undefined {
	const { pid } = fd.table === Task.near.fdTable ? Task.near : task;
	const text = readFileSync(`/proc/${pid}/fdinfo/${fd.fd}`, "utf8");
	return new RegExp(`^${field}:\\s*(\\S+)`, "m").exec(text)?.[1];
}

describe.each([["near"], ["far"]])("eventfd %s", (where) => {
	const run = <T>(fn: () => T): T => (where === "near" ? fn() : task.run(fn));

	test("EVT-01 a counter adds up, is taken whole, and is then empty", () => {
		run(() => {
			using counter = EventFd.create({ initial: 2 });
			counter.write(3n);
			expect(info(counter, "eventfd-count")).toBe("5");
			expect(counter.read()).toBe(5n);
			expect(() => counter.read()).toThrow(empty);
		});
	});

	test("EVT-02 close-on-exec and non-blocking, unless asked for otherwise; an unknown bit is EINVAL", () => {
		run(() => {
			using first = EventFd.create();
			const flags = (fd: FileDescriptor) => Number.parseInt(info(fd, "flags") ?? "", 8) & (CLOEXEC | NONBLOCK);
			expect([flags(first), first.closeOnExec, first.blocking]).toEqual([CLOEXEC | NONBLOCK, true, false]);
			using other = EventFd.create({ blocking: true, closeOnExec: false });
			expect([flags(other), other.closeOnExec, other.blocking]).toEqual([0, false, true]);
			const raw = () => Task.current().syscall(eventfd2, 0, 2);
			expect(raw).toThrow(expect.objectContaining({ code: "EINVAL" }));
		});
	});

	test("EVT-03 a semaphore gives one at a time", () => {
		run(() => {
			using counter = EventFd.create({ initial: 2, semaphore: true });
			expect([counter.read(), counter.read()]).toEqual([1n, 1n]);
			expect(() => counter.read()).toThrow(empty);
			using plain = EventFd.create();
			using copy = counter.dup();
			expect([counter.semaphore, copy.semaphore, plain.semaphore]).toEqual([true, true, false]);
		});
	});

	test("EVT-05 four bytes are EINVAL, to write and to read; eight are the counter", () => {
		run(() => {
			using counter = EventFd.create();
			expect(() => counter.write(Buffer.alloc(4))).toThrow(
				expect.objectContaining({ code: "EINVAL", syscall: "write" }),
			);
			expect(() => counter.read(4)).toThrow(expect.objectContaining({ code: "EINVAL", syscall: "read" }));
			const eight = Buffer.alloc(8);
			eight.writeBigUInt64LE(9n);
			expect(counter.write(eight)).toBe(8);
			expect(counter.read(8)).toEqual(eight);
		});
	});

	test("the largest value, one more (EAGAIN), and the one that there is not (EINVAL)", () => {
		run(() => {
			using counter = EventFd.create({ initial: 2n ** 32n - 1n });
			expect(counter.read()).toBe(2n ** 32n - 1n);
			counter.write(0);
			counter.write(most);
			expect(() => counter.write(1n)).toThrow(expect.objectContaining({ code: "EAGAIN", syscall: "write" }));
			expect(() => counter.write(most + 1n)).toThrow(expect.objectContaining({ code: "EINVAL", syscall: "write" }));
			expect(counter.read()).toBe(most);
		});
	});

	test("a blocking one that has something does not wait", () => {
		run(() => {
			using counter = EventFd.create({ initial: 1, blocking: true });
			expect(counter.read()).toBe(1n);
		});
	});

	test("is made and written in a batch, and cannot be read in one", async () => {
		const target = where === "near" ? Task.near : task;
		using counter = await target.batch(() => {
			const made = EventFd.create({ initial: 40 });
			made.write(2n);
			return made;
		});
		expect(counter).toBeInstanceOf(EventFd);
		const error = { name: "BatchError", code: "ERR_NEARFAR_BATCH" };
		await expect(target.batch(() => counter.read())).rejects.toMatchObject(error);
		expect(run(() => counter.read())).toBe(42n);
	});
});

test("EVT-06 what a task adds is read here; put, get and dup are the same counter, and an EventFd", () => {
	using near = EventFd.create({ semaphore: true });
	using far = task.put(near);
	using back = task.get(far);
	using copy = back.dup();
	task.run(() => far.write(3n));
	expect([near.read(), copy.read()]).toEqual([1n, 1n]);
	expect(task.run(() => far.read())).toBe(1n);
	for (const fd of [far, back, copy]) expect([fd.file, fd.semaphore]).toEqual([near.file, true]);
});

test("one that somebody else has made is taken over", () => {
	const number = Number(Task.near.syscall(eventfd2, 7, CLOEXEC));
	using counter = EventFd.from(number);
	expect([counter.read(), counter.semaphore]).toEqual([7n, undefined]);
	using copy = FileDescriptor.borrow(number);
	expect(copy).not.toBeInstanceOf(EventFd);
});

test("EMFILE in a full table, ENOSYS where it is forbidden", async () => {
	await using other = await Task.clone();
	const [RLIMIT_NOFILE, none] = [7, Buffer.alloc(16)];
	const before = Buffer.alloc(16);
	other.syscall(prlimit64, 0, RLIMIT_NOFILE, 0, before);
	none.writeBigUInt64LE(0n);
	none.writeBigUInt64LE(before.readBigUInt64LE(8), 8);
	other.syscall(prlimit64, 0, RLIMIT_NOFILE, none, 0);
	const make = () => other.run(() => EventFd.create());
	expect(make).toThrow(expect.objectContaining({ code: "EMFILE", syscall: "eventfd2", task: `${other}` }));
	other.syscall(prlimit64, 0, RLIMIT_NOFILE, before, 0);
	forbid(other, eventfd2, 38);
	expect(make).toThrow(expect.objectContaining({ code: "ENOSYS", syscall: "eventfd2" }));
});

test.each([
	["initial -1", "ERR_OUT_OF_RANGE", { initial: -1 }],
	["initial 2^32", "ERR_OUT_OF_RANGE", { initial: 2n ** 32n }],
	["initial 0.5", "ERR_OUT_OF_RANGE", { initial: 0.5 }],
	["initial as text", "ERR_INVALID_ARG_TYPE", { initial: "1" }],
	["semaphore as a number", "ERR_INVALID_ARG_TYPE", { semaphore: 1 }],
	["blocking as a number", "ERR_INVALID_ARG_TYPE", { blocking: 0 }],
] as const)("%s is refused with %s", (_, code, options) => {
	expect(() => EventFd.create(options as never)).toThrow(expect.objectContaining({ code }));
});

test.each([
	["-1n", "ERR_OUT_OF_RANGE", -1n],
	["2^64", "ERR_OUT_OF_RANGE", 2n ** 64n],
	["a number over 2^53", "ERR_OUT_OF_RANGE", 2 ** 53],
	["nothing", "ERR_INVALID_ARG_TYPE", undefined],
])("write of %s is refused with %s", (_, code, value) => {
	using counter = EventFd.create();
	expect(() => counter.write(value as never)).toThrow(expect.objectContaining({ code }));
	expect(() => counter.read()).toThrow(empty);
});
