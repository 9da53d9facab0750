import { fstatSync, readFileSync, statSync } from "node:fs";
import { FDTableMismatchError, FileDescriptor, NamespaceMismatchError, Process, Task } from "@nearfar/core";
import { expect, test } from "vitest";
import { lastingThreads } from "../../../test/lasting-threads.ts";
import { has, needs } from "../../../test/needs.ts";
import { refused } from "../../../test/refusal.ts";
import { PidFd } from "../src/index.ts";
import { pidfdOpen } from "./raw.ts";

test("PFD-01 a descriptor for this process is close-on-exec", () => {
	using pidfd = PidFd.open(process.pid);
	expect(pidfd).toBeInstanceOf(PidFd);
	expect(pidfd.closeOnExec).toBe(true);
	expect(pidfd.blocking).toBe(true);
	expect(shownPid(pidfd)).toBe(process.pid);
});

test("PFD-02 PFD-33 a process that was reaped: ESRCH, and -1 in the fdinfo of what was open before", async () => {
	const task = await Task.clone();
	using before = PidFd.open(task.process);
	expect(shownPid(before)).toBe(task.pid);
	await task.exit();
	expect(() => PidFd.open(task.pid)).toThrow(refused("ESRCH", "pidfd_open"));
	expect(() => PidFd.open(task.process)).toThrow(expect.objectContaining({ code: "ERR_NEARFAR_CHILD_DEAD" }));
	expect(shownPid(before)).toBe(-1);
});

test.each([-1, 0])("PFD-03 pid %i is refused here, where the kernel says EINVAL", (pid) => {
	expect(() => PidFd.open(pid)).toThrow(expect.objectContaining({ code: "ERR_OUT_OF_RANGE" }));
	expect(() => pidfdOpen(pid, 0)).toThrow(refused("EINVAL", "syscall"));
});

test("PFD-04 a flag that the kernel does not know is EINVAL; there is no way to name one", () => {
	expect(() => pidfdOpen(process.pid, 1)).toThrow(refused("EINVAL", "syscall"));
	for (const options of [{ nonblocking: 1 }, { thread: "yes" }, null]) {
		const error = expect.objectContaining({ code: "ERR_INVALID_ARG_TYPE" });
		expect(() => PidFd.open(process.pid, options as { thread: boolean })).toThrow(error);
	}
});

test("PFD-06 nonblocking sets O_NONBLOCK", () => {
	using pidfd = PidFd.open(process.pid, { nonblocking: true });
	expect(pidfd.blocking).toBe(false);
});

needs("Linux 6.9").test("a thread that does not lead a process is opened as a thread only", () => {
	const tid = lastingThreads().find((id) => id !== process.pid) ?? 0;
	// ENOENT since Linux 6.15.
	expect(() => PidFd.open(tid)).toThrow(expect.objectContaining({ code: expect.stringMatching(/^(EINVAL|ENOENT)$/) }));
	using thread = PidFd.open(tid, { thread: true });
	thread.sendSignal(0, { scope: "thread" });
});

needs("Linux 6.9").test("PFD-31 two descriptors of one process are one inode, of another process another", async () => {
	await using task = await Task.clone();
	using one = PidFd.open(process.pid);
	using two = PidFd.self();
	using other = PidFd.open(task.process);
	const [first, second, third] = [one, two, other].map(({ fd }) => fstatSync(fd, { bigint: true }).ino);
	expect(second).toBe(first);
	expect(third).not.toBe(first);
	expect(statSync(`/proc/self/fd/${one.fd}`, { bigint: true }).ino).toBe(first);
});

test("self is who calls: this process, its thread, a task", async () => {
	using near = PidFd.self();
	expect(shownPid(near)).toBe(process.pid);
	if (has("Linux 6.9")) {
		using thread = PidFd.self({ thread: true, nonblocking: true });
		expect([shownPid(thread), thread.blocking]).toEqual([process.pid, false]);
	} else {
		expect(() => PidFd.self({ thread: true })).toThrow(refused("EINVAL", "pidfd_open"));
	}
	await using task = await Task.clone();
	const far = task.run(() => PidFd.self());
	using back = task.get(far);
	expect(shownPid(back)).toBe(task.pid);
	expect(() => far.sendSignal(0)).toThrow(FDTableMismatchError);
});

test("a Process of another pid namespace is refused, one of the same is opened", async () => {
	await using inside = await Task.clone({ namespaces: ["user", "pid"] });
	const parent = new Process(process.pid);
	using pidfd = PidFd.open(parent);
	expect(shownPid(pidfd)).toBe(process.pid);
	expect(() => inside.run(() => PidFd.open(parent))).toThrow(NamespaceMismatchError);
	expect(() => PidFd.open("1" as unknown as number)).toThrow(expect.objectContaining({ code: "ERR_INVALID_ARG_TYPE" }));
});

test("one that somebody else opened is taken over, or borrowed", () => {
	using taken = PidFd.from(PidFd.self().take());
	using borrowed = PidFd.borrow(taken.fd);
	for (const pidfd of [taken, borrowed]) {
		expect(pidfd).toBeInstanceOf(PidFd);
		pidfd.sendSignal(0);
	}
	borrowed.close();
	taken.sendSignal(0);
	expect(FileDescriptor.borrow(taken.fd)).not.toBeInstanceOf(PidFd);
});

test("in a batch it is opened and used", async () => {
	await using task = await Task.clone();
	await using sleep = (await Task.clone()).exec("sleep", ["sleep", "60"]);
	const far = await task.batch(() => {
		const pidfd = PidFd.open(sleep);
		pidfd.sendSignal("SIGTERM");
		return pidfd;
	});
	expect((await sleep.exited).signal).toBe("SIGTERM");
	expect(far.fd).toBeGreaterThan(2);
	task.run(() => expect(() => far.sendSignal(0)).toThrow(refused("ESRCH", "pidfd_send_signal")));
	far.close();
});

function shownPid({ fd }: PidFd | FileDescriptor): number {
	return Number(/^Pid:\t(.*)$/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, "utf8"))?.[1]);
}
