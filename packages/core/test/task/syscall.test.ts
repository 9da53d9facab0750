import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { reason } from "../../../../test/reason.ts";
import { openat2, pipe, Task } from "../../src/index.ts";

const x64 = process.arch === "x64";
const [read, write, close, getpid, uname, lseek, pread64] = x64
	? [0, 1, 3, 39, 63, 8, 17]
	: [63, 64, 57, 172, 160, 62, 67];
let far: Task;
beforeAll(async () => {
	far = await Task.clone();
});
afterAll(() => far[Symbol.asyncDispose]());

describe.each([["near"], ["far"]])("syscall %s", (where) => {
	const target = () => (where === "near" ? Task.near : far) as Task;

	test("returns a bigint, of this task whichever is current", () => {
		const pid = BigInt(target().pid);
		expect([target().syscall(getpid), far.run(() => target().syscall(getpid))]).toEqual([pid, pid]);
	});

	test("bytes come back with what the kernel wrote", () => {
		const bytes = Buffer.alloc(390);
		expect(target().syscall(uname, bytes)).toBe(0n);
		expect(`${bytes}`).toContain(readFileSync("/proc/sys/kernel/osrelease", "utf8").trim());
	});

	test("bytes go in, of any kind of array and from its own offset", () => {
		const task = target();
		task.run(() => {
			const [from, to] = pipe();
			const all = Uint8Array.from([9, 1, 2, 3, 9]);
			expect(task.syscall(write, to, all.subarray(1, 4), 3)).toBe(3n);
			const back = Buffer.alloc(8, 7);
			expect(task.syscall(read, from, back.subarray(2, 6), 4n)).toBe(3n);
			expect([...back]).toEqual([7, 7, 1, 2, 3, 7, 7, 7]);
			expect(all).toEqual(Uint8Array.from([9, 1, 2, 3, 9]));
			from.close();
			to.close();
		});
	});

	test("several arrays of odd lengths, and a megabyte", () => {
		const task = target();
		task.run(() => {
			using zero = openat2("/dev/zero");
			const bytes = Buffer.alloc(2 ** 20 + 3, 1);
			expect(task.syscall(read, zero, bytes, bytes.length)).toBe(BigInt(bytes.length));
			expect(bytes.equals(Buffer.alloc(bytes.length))).toBe(true);
			const [path, how] = [Buffer.from("/dev/zero\0"), Buffer.alloc(24)];
			using opened = task.syscall(437, -100, path, how, 24n, { fd: true });
			expect(`${path}`).toBe("/dev/zero\0");
			expect(task.syscall(read, opened, how.subarray(0, 1), 1)).toBe(1n);
		});
	});

	test("64-bit numbers pass whole, as bigint or number, signed or not", () => {
		const task = target();
		task.run(() => {
			using file = openat2("/tmp", { flags: ["tmpfile", "rdwr"], mode: 0o600 });
			expect(task.syscall(lseek, file, 2n ** 40n + 1n, 0)).toBe(2n ** 40n + 1n);
			expect(task.syscall(lseek, file, -1, 1)).toBe(2n ** 40n);
			expect(task.syscall(lseek, file, 2n ** 64n - 1n, 1)).toBe(2n ** 40n - 1n);
			expect(task.syscall(lseek, file, 2 ** 33, 0)).toBe(2n ** 33n);
			expect(task.syscall(pread64, file.fd, Buffer.alloc(4), 4, 0n)).toBe(0n);
		});
	});

	test.each([
		["ENOSYS", -38, [9999]],
		["EBADF", -9, [close, -1]],
		["EFAULT", -14, [uname, 8]],
		["EINVAL", -22, [437, -100, Buffer.from("/\0"), Buffer.alloc(24), 23]],
	] as [string, number, [number, ...(number | Buffer)[]]][])("%s", async (code, errno, [nr, ...args]) => {
		const task = target();
		const error = { name: "SyscallError", code, errno, syscall: "syscall" };
		const found = await reason(() => task.syscall(nr, ...args));
		expect(found).toMatchObject(where === "near" ? error : { ...error, task: `${task}` });
		expect(task.syscall(getpid)).toBe(BigInt(task.pid));
	});

	test("a descriptor of another table is refused", async () => {
		using near = openat2("/dev/null");
		const made = far.run(() => openat2("/dev/null"));
		const wrong = where === "near" ? made : near;
		expect(await reason(() => target().syscall(close, wrong))).toMatchObject({ name: "FDTableMismatchError" });
		made.close();
	});

	test.each([["1"], [null], [0.5], [Number.NaN], [{}]])("an argument %j is refused", async (arg) => {
		const code = expect.stringMatching(/^ERR_(INVALID_ARG_TYPE|OUT_OF_RANGE)$/);
		expect(await reason(() => target().syscall(getpid, arg as never))).toMatchObject({ code });
	});
});

test("a task that is gone says so", async () => {
	const task = await Task.clone();
	await task.exit(3);
	const gone = { name: "TaskGoneError", status: { code: 3, signal: null, dumped: false } };
	expect(await reason(() => task.syscall(getpid))).toMatchObject(gone);
});
