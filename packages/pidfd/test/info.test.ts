import { readFileSync, statSync } from "node:fs";
import { openat2, Task } from "@nearfar/core";
import { adoptDescriptor } from "@nearfar/core/internal";
import { expect, test } from "vitest";
import { has, needs } from "../../../test/needs.ts";
import { refused } from "../../../test/refusal.ts";
import { PidFd, type PidFdInfo } from "../src/index.ts";
import { pidfdGetInfo } from "./raw.ts";

const [SETRESUID, SETRESGID] = process.arch === "arm64" ? [147, 149] : [117, 119];

needs("Linux 6.13").test("PFD-26 of a living child: what /proc shows", async () => {
	await using task = await Task.clone();
	using pidfd = PidFd.open(task.process);
	expectAsShown(pidfd.info(), task.pid);
	using self = PidFd.self();
	expectAsShown(self.info(), process.pid);
	expect(self.info().ppid).toBe(process.ppid);
});

needs("Linux 6.13").test("PFD-26 each of the eight ids has its own place", async () => {
	await using task = await Task.clone({ namespaces: ["user"], idMap: "root" });
	const root = has("root");
	await using other = await Task.clone();
	if (root) other.syscall(SETRESGID, 11, 12, 13);
	if (root) other.syscall(SETRESUID, 21, 22, 23);
	using pidfd = PidFd.open(other.process);
	expectAsShown(pidfd.info(), other.pid);
	if (root) expect(pidfd.info()).toMatchObject({ uid: 21, euid: 22, suid: 23, gid: 11, egid: 12, sgid: 13 });
	// The ids are numbers of the caller's namespaces.
	using inside = PidFd.open(task.process);
	expect(inside.info().uid).toBe(process.getuid?.());
	expect(task.run(() => PidFd.self().info())).toMatchObject({ uid: 0, pid: task.pid });
});

needs("Linux 6.16").test("of a living process there is no exit code, and whether it would dump core", () => {
	using self = PidFd.self();
	const { exitCode, exitSignal, coredump, cgroupId } = self.info();
	expect([exitCode, exitSignal]).toEqual([undefined, undefined]);
	expect(coredump).toMatchObject({ dumped: false, as: "user" });
	expect(typeof cgroupId).toBe("bigint");
});

needs("Linux 6.13").test("of a thread: its own id, and its process's", () => {
	using thread = PidFd.self({ thread: true });
	expect(thread.info()).toMatchObject({ tgid: process.pid, ppid: process.ppid });
});

needs("Linux 6.15").test.each([
	["exit 7", { exitCode: 7, exitSignal: null }],
	["exit 0", { exitCode: 0, exitSignal: null }],
	["kill -KILL $$", { exitCode: null, exitSignal: "SIGKILL" }],
	["kill -34 $$", { exitCode: null, exitSignal: 34 }],
	["ulimit -c 0; kill -FPE $$", { exitCode: null, exitSignal: "SIGFPE" }],
])("after %s, and reaped: how it ended, and nothing that it has no more", async (script, end) => {
	const task = await Task.clone();
	using pidfd = PidFd.open(task.process);
	await task.exec("/bin/sh", ["sh", "-c", script]).exited;
	expect(pidfd.info()).toMatchObject(end);
	const { pid, tgid, ppid, uid, fsgid, coredump } = pidfd.info();
	// A bit tells whether the kernel reports core dumps. Without the bit, `info()` must not say "not dumped".
	if (coredump) expect(coredump.dumped || coredump.as !== undefined).toBe(true);
	expect([pid, tgid, ppid, uid, fsgid]).toEqual(Array(5).fill(undefined));
});

needs("Linux 6.13").test("PFD-28 no struct, or one that is too small", () => {
	using self = PidFd.self();
	expect(() => pidfdGetInfo(self, 0, 64)).toThrow(refused("EINVAL", "syscall"));
	const code = expect.stringMatching(/^(EINVAL|ENOTTY)$/);
	expect(() => pidfdGetInfo(self, new Uint8Array(64), 32)).toThrow(expect.objectContaining({ code }));
});

test("what is no pidfd: ENOTTY", () => {
	using file = openat2("/dev/zero");
	using claimed = PidFd.borrow(file.fd);
	expect(() => claimed.info()).toThrow(refused("ENOTTY", "ioctl"));
});

needs("Linux 6.13").test("of a process outside the pid namespace: ESRCH, by now EREMOTE", async () => {
	await using inside = await Task.clone({ namespaces: ["user", "pid"] });
	using self = PidFd.self();
	const far = inside.put(self);
	inside.run(() => {
		const pidfd = adoptDescriptor(far.take(), PidFd);
		const code = expect.stringMatching(/^(ESRCH|EREMOTE)$/);
		expect(() => pidfd.info()).toThrow(expect.objectContaining({ code, syscall: "ioctl" }));
		expect(() => pidfd.sendSignal(0)).toThrow(refused("EINVAL", "pidfd_send_signal"));
	});
});

test("in a batch it is refused: a value is needed", async () => {
	await using task = await Task.clone();
	const batch = task.batch(() => PidFd.open(1).info());
	await expect(batch).rejects.toMatchObject({ code: "ERR_NEARFAR_BATCH" });
});

function expectAsShown(info: PidFdInfo, pid: number): void {
	const status = readFileSync(`/proc/${pid}/status`, "utf8");
	const shown = (name: string) =>
		(new RegExp(`^${name}:\\t(.*)$`, "m").exec(status)?.[1] ?? "").split("\t").map(Number);
	expect([info.pid, info.tgid, info.ppid]).toEqual([...shown("Pid"), ...shown("Tgid"), ...shown("PPid")]);
	expect([info.uid, info.euid, info.suid, info.fsuid]).toEqual(shown("Uid"));
	expect([info.gid, info.egid, info.sgid, info.fsgid]).toEqual(shown("Gid"));
	const cgroup2 = /^\d+ \d+ \S+ \/ (\S+) .* - cgroup2 /m.exec(readFileSync("/proc/self/mountinfo", "utf8"))?.[1];
	const path = /^0::(.*)$/m.exec(readFileSync(`/proc/${pid}/cgroup`, "utf8"))?.[1];
	if (cgroup2 && path) expect(info.cgroupId).toBe(statSync(`${cgroup2}${path}`, { bigint: true }).ino);
}
