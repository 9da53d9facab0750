import { FDTableMismatchError, openat2, Task } from "@nearfar/core";
import { adoptDescriptor, native } from "@nearfar/core/internal";
import { expect, test } from "vitest";
import { getrlimit, prlimit } from "../src/index.ts";

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

test("in another pid namespace it is the pid of that one, though /proc still shows the outer", async () => {
	await using task = await Task.clone({ namespaces: ["user", "pid"] });
	await using child = await task.clone();
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
