import { closeSync, fstatSync, openSync, readFileSync, readlinkSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { FDTable, FileDescriptor, OpenFile, openat2, pipe, Task } from "../src/index.ts";
import { expectNoLeaks } from "./leaks.ts";

expectNoLeaks();

const closedError = expect.objectContaining({ name: "ClosedError", code: "ERR_NEARFAR_CLOSED" });
const mismatch = expect.objectContaining({ name: "FDTableMismatchError", code: "ERR_NEARFAR_FD_TABLE_MISMATCH" });

function flagsOf(fd: number): number {
	const line = /^flags:\s*(\d+)$/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, "utf8"));
	return Number.parseInt(line?.[1] ?? "", 8);
}

describe("near", () => {
	test("from takes a number over and closes it", () => {
		const number = openSync("/dev/null", "r");
		const fd = FileDescriptor.from(number);
		expect(fd.fd).toBe(number);
		expect(fd.table).toBe(Task.near.fdTable);
		expect(fd.table).toBeInstanceOf(FDTable);
		expect(fd.file).toBeInstanceOf(OpenFile);
		expect(fd.table.creatorPid).toBe(process.pid);
		fd.close();
		expect(() => fstatSync(number)).toThrow(expect.objectContaining({ code: "EBADF" }));
	});

	test("borrow closes nothing", () => {
		const number = openSync("/dev/null", "r");
		const fd = FileDescriptor.borrow(number);
		fd.close();
		expect(fd.closed).toBe(true);
		expect(() => fd.fd).toThrow(closedError);
		fstatSync(number);
		closeSync(number);
	});

	test("is close-on-exec from birth, whatever made it", () => {
		using file = openat2("/dev/null");
		const [read, write] = pipe();
		using copy = file.dup();
		using to = file.dupTo(900);
		for (const fd of [file, read, write, copy, to]) {
			expect(fd.closeOnExec).toBe(true);
			expect(flagsOf(fd.fd) & 0o2000000).toBe(0o2000000);
		}
		read.close();
		write.close();
	});

	test("closeOnExec and blocking are those of the kernel", () => {
		const [read, write] = pipe({ closeOnExec: false, blocking: false });
		expect([read.closeOnExec, read.blocking, write.blocking]).toEqual([false, false, false]);
		expect(() => read.read(1)).toThrow(expect.objectContaining({ code: "EAGAIN", syscall: "read" }));
		read.closeOnExec = true;
		read.blocking = true;
		expect(flagsOf(read.fd) & 0o2004000).toBe(0o2000000);
		read.closeOnExec = false;
		expect([read.closeOnExec, read.blocking, write.blocking]).toEqual([false, true, false]);
		read.close();
		write.close();
	});

	test("dup keeps the open file, and its options are followed", () => {
		using file = openat2("/dev/null");
		using copy = file.dup({ closeOnExec: false, min: 700 });
		expect(copy.file).toBe(file.file);
		expect(copy.fd).toBeGreaterThanOrEqual(700);
		expect(copy.closeOnExec).toBe(false);
		using other = openat2("/dev/null");
		expect(other.file).not.toBe(file.file);
		expect(() => file.dup({ min: 2 ** 31 - 1 })).toThrow(expect.objectContaining({ code: "EINVAL", syscall: "fcntl" }));
	});

	test("dupTo refuses a number that is in use, and its own", () => {
		using file = openat2("/dev/null");
		using other = openat2("/dev/zero");
		const inUse = expect.objectContaining({ code: "ERR_OUT_OF_RANGE" });
		for (const number of [0, 1, 2, other.fd, file.fd]) expect(() => file.dupTo(number)).toThrow(inUse);
		expect(readlinkSync(`/proc/self/fd/${other.fd}`)).toBe("/dev/zero");
		expect(() => file.dupTo(2 ** 31 - 1)).toThrow(expect.objectContaining({ code: "EBADF", syscall: "dup3" }));
		using copy = file.dupTo(901, { closeOnExec: false });
		expect([copy.fd, copy.closeOnExec, copy.file === file.file]).toEqual([901, false, true]);
	});

	test("take gives the number up", () => {
		const fd = openat2("/dev/null");
		const number = fd.take();
		expect(fd.closed).toBe(true);
		fd.close();
		fstatSync(number);
		closeSync(number);
		expect(() => fd.take()).toThrow(closedError);
	});

	test("close and dispose are idempotent; whatever follows throws ClosedError", () => {
		const fd = openat2("/dev/null");
		{
			using _ = fd;
		}
		expect(fd.closed).toBe(true);
		fd.close();
		fd[Symbol.dispose]();
		const uses = [
			() => fd.fd,
			() => fd.closeOnExec,
			() => Object.assign(fd, { blocking: true }),
			() => fd.dup(),
			() => fd.dupTo(950),
			() => fd.read(1),
			() => fd.write("x"),
			() => openat2(fd),
			() => fd.take(),
		];
		for (const use of uses) expect(use).toThrow(closedError);
	});
});

describe("far", () => {
	test("close runs in the task that has the table, whichever is current", async () => {
		await using task = await Task.clone();
		await using other = await Task.clone();
		const [a, b, c] = task.run(() => [openat2("/dev/null"), openat2("/dev/null"), openat2("/dev/null")] as const);
		const open = () => task.run(() => [a, b, c].map((fd) => fd.closed || fd.closeOnExec));
		expect(open()).toEqual([true, true, true]);
		const number = a.fd;
		a.close();
		other.run(() => b.close());
		task.run(() => c.close());
		expect(() => task.syscall(process.arch === "x64" ? 3 : 57, number)).toThrow(
			expect.objectContaining({ code: "EBADF" }),
		);
	});

	test("a descriptor used while another table is current throws, and nothing reaches the kernel", async () => {
		await using task = await Task.clone();
		using near = openat2("/dev/null");
		using far = task.run(() => openat2("/dev/null"));
		expect(() => task.run(() => near.read(1))).toThrow(mismatch);
		expect(() => task.run(() => openat2(near))).toThrow(mismatch);
		expect(() => task.get(near)).toThrow(mismatch);
		expect(() => far.dup()).toThrow(mismatch);
		expect(() => far.write("x")).toThrow(mismatch);
		expect(() => task.put(far)).toThrow(mismatch);
		expect(() => task.exec("/bin/true", ["true"], { fds: [near] })).toThrow(mismatch);
		expect(task.state).toBe("live");
	});

	test("dupTo replaces what a task has under the number, but not its channel", async () => {
		await using task = await Task.clone();
		task.run(() => {
			using zero = openat2("/dev/zero");
			const old = openat2("/dev/null");
			using copy = zero.dupTo(old.fd);
			expect(old.closed).toBe(true);
			expect(copy.read(2)).toEqual(Buffer.alloc(2));
			expect(() => zero.dupTo(task.channelFd ?? 0)).toThrow(expect.objectContaining({ code: "ERR_OUT_OF_RANGE" }));
			expect(() => zero.dupTo(zero.fd)).toThrow(expect.objectContaining({ code: "EINVAL", syscall: "dup3" }));
			expect(zero.closed).toBe(false);
		});
	});
});
