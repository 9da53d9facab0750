import { FDTableMismatchError, openat2, Task } from "@nearfar/core";
import { adoptDescriptor, native } from "@nearfar/core/internal";
import { expect, test } from "vitest";
import { needs } from "../../../test/needs.ts";
import { refused } from "../../../test/refusal.ts";
import { forbid } from "../../../test/seccomp.ts";
import { getrlimit, prlimit } from "../src/index.ts";

const IOCTL = process.arch === "arm64" ? 29 : 16;
const ENOTTY = 25;

test("a pidfd names the process, near and in a task", async () => {
	await using child = await Task.clone();
	await using task = await Task.clone();
	prlimit("core", 7, child.process.fd);
	expect(child.run(() => getrlimit("core"))).toEqual({ soft: 7, hard: 7 });
	const fd = task.put(child.process.fd);
	expect(task.run(() => prlimit("core", 6, fd))).toEqual({ soft: 7, hard: 7 });
	expect(prlimit("core", undefined, child.process.fd)).toEqual({ soft: 6, hard: 6 });
	expect(() => prlimit("core", undefined, fd)).toThrow(FDTableMismatchError);
});

needs().describe("the pid of a pidfd, as the kernel reports it,", () => findsPids(false));
needs("/proc").describe("the pid of a pidfd, as /proc shows it, before Linux 6.13,", () => findsPids(true));

function findsPids(old: boolean): void {
	test("is that of the task's pid namespace, though /proc still shows the outer", async () => {
		await using task = await Task.clone({ namespaces: ["user", "pid"] });
		await using child = await task.clone();
		if (old) forbid(task, IOCTL, ENOTTY);
		const fd = task.put(child.process.fd);
		task.run(() => prlimit("core", 7, fd));
		expect(child.run(() => getrlimit("core"))).toEqual({ soft: 7, hard: 7 });
		await using stranger = await Task.clone();
		const hidden = task.put(stranger.process.fd);
		expect(() => task.run(() => prlimit("core", 7, hidden))).toThrow(
			expect.objectContaining({ code: "ESRCH", syscall: "prlimit", task: `${task}` }),
		);
		expect(stranger.run(() => getrlimit("core"))).toEqual(getrlimit("core"));
	});

	test("is none once the process was reaped, and none of another descriptor", async () => {
		await using task = await Task.clone();
		if (old) forbid(task, IOCTL, ENOTTY);
		await using child = await Task.clone();
		const fd = task.put(child.process.fd);
		await child.exit();
		expect(() => task.run(() => prlimit("core", 7, fd))).toThrow(refused("ESRCH", "prlimit"));
		const file = task.run(() => openat2("/dev/null"));
		expect(() => task.run(() => prlimit("core", 7, file))).toThrow(refused("EBADF", "prlimit"));
	});
}

needs("Linux 6.13").test("the pid of a pidfd is known without a /proc", async () => {
	await using task = await Task.clone({ namespaces: ["user", "mnt"], idMap: "root" });
	await using child = await task.clone();
	const fd = task.put(child.process.fd);
	const text = (value: string) => Buffer.from(`${value}\0`);
	task.syscall(process.arch === "x64" ? 165 : 40, text("none"), text("/proc"), text("tmpfs"), 0, 0); // mount
	task.run(() => prlimit("core", 7, fd));
	expect(child.run(() => getrlimit("core"))).toEqual({ soft: 7, hard: 7 });
});

test("ESRCH once the process was reaped, EBADF for another descriptor", async () => {
	await using child = await Task.clone();
	const { fd } = child.process;
	await child.exit();
	expect(() => prlimit("core", 7, fd)).toThrow(expect.objectContaining({ code: "ESRCH", syscall: "prlimit" }));
	using file = openat2("/dev/null");
	expect(() => prlimit("core", 7, file)).toThrow(expect.objectContaining({ code: "EBADF", syscall: "prlimit" }));
});

test("a pidfd of this process: its own limits", () => {
	using self = adoptDescriptor(native().pidfdOpen(process.pid, 0));
	expect(prlimit("core", undefined, self)).toEqual(getrlimit("core"));
});
