import { openat2, Task } from "@nearfar/core";
import { expect, test } from "vitest";
import { needs } from "../../../test/needs.ts";
import { becomeOrdinary } from "../../../test/ordinary.ts";
import { ownProc } from "../../../test/own-proc.ts";
import { refused } from "../../../test/refusal.ts";
import { PidFd } from "../src/index.ts";
import { pidfdGetfd } from "./raw.ts";

const FREE = 1000; // a number that is free in every task

test("PFD-16 the copy is of the same open file, and close-on-exec", async () => {
	await using task = await Task.clone();
	const far = task.run(() => openat2(`${ownProc}/self/status`));
	using pidfd = PidFd.open(task.process);
	using copy = pidfd.getFd(far.fd);
	expect(copy.closeOnExec).toBe(true);
	expect(copy).not.toBeInstanceOf(PidFd);
	// All descriptors of an open file share one position.
	expect(copy.read(4).toString()).toBe("Name");
	expect(task.run(() => far.read(1)).toString()).toBe(":");
});

test("a task copies from a child of its own", async () => {
	await using task = await Task.clone();
	await using child = await task.clone();
	const file = child.run(() => openat2(`${ownProc}/self/status`));
	const copy = task.run(() => {
		using pidfd = PidFd.open(child.process);
		return pidfd.getFd(file.fd);
	});
	expect(copy.table).toBe(task.fdTable);
	expect(task.run(() => copy.read(4)).toString()).toBe("Name");
	expect(child.run(() => file.read(1)).toString()).toBe(":");
});

test("PFD-17 what is no pidfd, or not open over there: EBADF", async () => {
	await using task = await Task.clone();
	using file = openat2("/dev/null");
	using claimed = PidFd.borrow(file.fd);
	using pidfd = PidFd.open(task.process);
	expect(() => claimed.getFd(0)).toThrow(refused("EBADF", "pidfd_getfd"));
	expect(() => pidfd.getFd(FREE)).toThrow(refused("EBADF", "pidfd_getfd"));
});

test("PFD-17 a flag: EINVAL", () => {
	using self = PidFd.self();
	expect(() => pidfdGetfd(self, 0, 1)).toThrow(refused("EINVAL", "syscall"));
});

test("PFD-17 a process that was reaped: ESRCH", async () => {
	const task = await Task.clone();
	using pidfd = PidFd.open(task.process);
	await task.exit();
	expect(() => pidfd.getFd(0)).toThrow(refused("ESRCH", "pidfd_getfd"));
});

needs("another user as the owner of process 1").test("another user's: EPERM", async () => {
	await using task = await Task.clone();
	becomeOrdinary(task);
	task.run(() => {
		using init = PidFd.open(1);
		expect(() => init.getFd(0)).toThrow(refused("EPERM", "pidfd_getfd"));
	});
});

test("a number that is none is refused before the kernel is asked", () => {
	using self = PidFd.self();
	expect(() => self.getFd(-1)).toThrow(expect.objectContaining({ code: "ERR_OUT_OF_RANGE" }));
	expect(() => self.getFd("0" as unknown as number)).toThrow(expect.objectContaining({ code: "ERR_INVALID_ARG_TYPE" }));
});
