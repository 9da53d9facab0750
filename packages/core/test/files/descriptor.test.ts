import { closeSync, fstatSync, openSync, readFileSync, readlinkSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { FDTable, FileDescriptor, OpenFile, openat2, pipe, Task } from "../../src/index.ts";

const closedError = expect.objectContaining({ name: "ClosedError", code: "ERR_NEARFAR_CLOSED" });

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
		using to = file.dupTo(190);
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
		using copy = file.dup({ closeOnExec: false, min: 170 });
		expect(copy.file).toBe(file.file);
		expect(copy.fd).toBeGreaterThanOrEqual(170);
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
		using copy = file.dupTo(191, { closeOnExec: false });
		expect([copy.fd, copy.closeOnExec, copy.file === file.file]).toEqual([191, false, true]);
	});

	test("dupTo refuses a number that is in use while a batch is collected, too", async () => {
		using file = openat2("/dev/null");
		using other = file.dup();
		const failed = await Task.near.batch(() => file.dupTo(other.fd)).catch((error) => error);
		expect(failed).toMatchObject({ code: "ERR_OUT_OF_RANGE" });
		expect(other.read(1)).toHaveLength(0);
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
			() => fd.dupTo(195),
			() => fd.read(1),
			() => fd.write("x"),
			() => openat2(fd),
			() => fd.take(),
		];
		for (const use of uses) expect(use).toThrow(closedError);
	});
});
