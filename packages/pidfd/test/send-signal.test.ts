import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { ClosedError, openat2, Task } from "@nearfar/core";
import { expect, test } from "vitest";
import { needs } from "../../../test/needs.ts";
import { becomeOrdinary } from "../../../test/ordinary.ts";
import { refused } from "../../../test/refusal.ts";
import { PidFd, type SignalScope } from "../src/index.ts";
import { pidfdSendSignal } from "./raw.ts";

const PIDFD_SELF_THREAD = -10000;
const PIDFD_SELF_THREAD_GROUP = -10001;
const SIGTERM = 15;

test("PFD-10 unknown flags, and a siginfo of another signal: EINVAL", () => {
	using self = PidFd.self();
	expect(() => pidfdSendSignal(self, 0, 99999)).toThrow(refused("EINVAL", "syscall"));
	expect(() => pidfdSendSignal(self, 0, 0, SIGTERM)).toThrow(refused("EINVAL", "syscall"));
});

test("PFD-10 what is no pidfd: EBADF", () => {
	using file = openat2("/dev/null");
	using claimed = PidFd.borrow(file.fd);
	expect(() => claimed.sendSignal(0)).toThrow(refused("EBADF", "pidfd_send_signal"));
});

needs("another user as the owner of process 1").test("PFD-11 another user's: EPERM", async () => {
	await using task = await Task.clone();
	becomeOrdinary(task);
	task.run(() => {
		using init = PidFd.open(1);
		expect(() => init.sendSignal(0)).toThrow(refused("EPERM", "pidfd_send_signal"));
	});
});

test("a process of a pid namespace that is not inside the task's: EINVAL", async () => {
	await using inside = await Task.clone({ namespaces: ["user", "pid"] });
	using self = PidFd.self();
	const far = inside.put(self);
	expect(() => inside.run(() => far.sendSignal(0))).toThrow(refused("EINVAL", "pidfd_send_signal"));
	using init = PidFd.open(inside.process);
	init.sendSignal(0); // the call is made from outside the namespace
});

test("PFD-12 a zombie can be signalled, a process that was reaped cannot: ESRCH", async () => {
	const child = spawn("true");
	const pid = child.pid ?? 0;
	// Node reaps in its event loop, so the zombie stays during this turn.
	while (!/^State:\tZ/m.test(readFileSync(`/proc/${pid}/status`, "utf8")));
	using pidfd = PidFd.open(pid);
	pidfd.sendSignal(0);
	pidfd.sendSignal("SIGKILL");
	const [code] = await once(child, "exit");
	expect(code).toBe(0);
	for (const signal of [0, "SIGKILL"] as const) {
		expect(() => pidfd.sendSignal(signal)).toThrow(refused("ESRCH", "pidfd_send_signal"));
	}
});

needs("numbers that mean the own pidfd").test("PFD-15 the kernel's own numbers for the caller mean the caller", () => {
	expect(pidfdSendSignal(PIDFD_SELF_THREAD_GROUP, 0, 0)).toBe(0n);
	expect(pidfdSendSignal(PIDFD_SELF_THREAD, 0, 0)).toBe(0n);
});

test.each([
	["SIGTERM", "SIGTERM"],
	[9, "SIGKILL"],
	[34, 34],
] as const)("%s ends the process that was meant", async (signal, seen) => {
	await using child = (await Task.clone()).exec("sleep", ["sleep", "60"]);
	using pidfd = PidFd.open(child);
	pidfd.sendSignal(0);
	expect(child.poll()).toBe(undefined);
	pidfd.sendSignal(signal);
	expect((await child.exited).signal).toBe(seen);
});

needs("Linux 6.9").test("scope: the group that it leads, or the process alone", async () => {
	await using leader = await Task.clone();
	await using member = await Task.clone();
	leader.process.setpgid();
	member.process.setpgid(leader.process);
	using pidfd = PidFd.open(leader.process);
	using other = PidFd.open(member.process);
	expect(() => other.sendSignal(0, { scope: "group" })).toThrow(refused("ESRCH", "pidfd_send_signal"));
	pidfd.sendSignal("SIGSTOP", { scope: "process" });
	expect((await leader.process.wait({ stopped: true })).signal).toBe("SIGSTOP");
	expect(member.process.poll({ stopped: true })).toBe(undefined);
	pidfd.sendSignal("SIGKILL", { scope: "group" });
	expect((await leader.process.exited).signal).toBe("SIGKILL");
	expect((await member.process.exited).signal).toBe("SIGKILL");
});

test("a wrong scope or signal is refused before the kernel is asked, and so is a closed descriptor", () => {
	using self = PidFd.self();
	const value = expect.objectContaining({ code: "ERR_INVALID_ARG_VALUE" });
	expect(() => self.sendSignal(0, { scope: "everybody" as SignalScope })).toThrow(value);
	expect(() => self.sendSignal("SIGNOPE" as "SIGTERM")).toThrow(value);
	expect(() => self.sendSignal(65)).toThrow(expect.objectContaining({ code: "ERR_OUT_OF_RANGE" }));
	self.close();
	expect(() => self.sendSignal(0)).toThrow(ClosedError);
});
