import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable, Writable } from "node:stream";
import { setImmediate } from "node:timers/promises";
import { chroot, FileDescriptor, openat2, pipe, Task } from "@nearfar/core";
import { mount } from "@nearfar/mount";
import { PidFd } from "@nearfar/pidfd";
import { expect, test } from "vitest";
import { isRoot, needs } from "../../../test/needs.ts";
import { refusal } from "../../../test/refusal.ts";
import { credentialsOf, getgroups, setfsgid, setfsuid, setgroups, setresgid, setresuid } from "../src/index.ts";

const proc = needs("a /proc of this pid namespace");
const root = needs("root", "a /proc of this pid namespace");

/** Returns what `/proc` says of a process to this process. */
function seen(pid: number | "self") {
	const status = readFileSync(`/proc/${pid}/status`, "utf8");
	const field = (name: string) => new RegExp(`^${name}:[ \\t]*(.*)$`, "m").exec(status)?.[1] ?? "";
	const numbers = (name: string) => field(name).split(/\s+/).filter(Boolean).map(Number);
	const [uid, euid, suid, fsuid] = numbers("Uid");
	const [gid, egid, sgid, fsgid] = numbers("Gid");
	const groups = numbers("Groups").sort((one, other) => one - other);
	return { uid, euid, suid, fsuid, gid, egid, sgid, fsgid, groups };
}

proc.test("near, of this process, of a child and of a task", async () => {
	await using task = await Task.clone();
	using self = PidFd.self();
	expect(credentialsOf(self)).toEqual(seen("self"));
	expect(credentialsOf(task.process)).toEqual(seen(task.pid));
	await using other = await Task.clone();
	await using child = other.exec("sleep", ["sleep", "100"]);
	expect(credentialsOf(child)).toEqual(seen(child.pid));
});

root.test("nine different values are told apart", async () => {
	await using task = await Task.clone();
	task.run(() => {
		setgroups([9, 3, 4294967294]);
		setresgid(21, 22, 23);
		setfsgid(24);
		setresuid(11, 12, 13);
		setfsuid(11);
	});
	expect(credentialsOf(task.process)).toEqual({
		...{ uid: 11, euid: 12, suid: 13, fsuid: 11 },
		...{ gid: 21, egid: 22, sgid: 23, fsgid: 24 },
		groups: [3, 9, 4294967294],
	});
});

root.test("65536 groups are read whole", async () => {
	await using task = await Task.clone();
	const groups = Array.from({ length: 65_536 }, (_, index) => 4_000_000_000 + index);
	task.run(() => setgroups(groups));
	expect(credentialsOf(task.process).groups).toEqual(groups);
	await using other = await Task.clone();
	expect(inTask(other, task.pid).groups).toEqual(groups);
});

/** Asks in a task, which opens the pidfd itself. */
function inTask(task: Task, pid: number) {
	return task.run(() => {
		using pidfd = PidFd.open(pid);
		return credentialsOf(pidfd);
	});
}

proc.test("far, ids are those of the task's user namespace", async () => {
	await using task = await Task.clone({ namespaces: ["user"], idMap: "root" });
	const zero = { uid: 0, euid: 0, suid: 0, fsuid: 0, gid: 0, egid: 0, sgid: 0, fsgid: 0 };
	expect(inTask(task, task.pid)).toEqual({ ...zero, groups: task.run(getgroups).sort((a, b) => a - b) });
	expect(credentialsOf(task.process)).toEqual(seen(task.pid));
	if (!isRoot) return;
	await using other = await Task.clone();
	other.run(() => setresuid(4711, 4711, 4711));
	expect(inTask(task, other.pid)).toMatchObject({ uid: 65534, euid: 65534, suid: 65534, fsuid: 65534, gid: 0 });
});

proc.test("a zombie has its ids until it is reaped, and then it is ESRCH", async () => {
	// The program never reaps its child, which ends when the pipe is closed.
	const script = 'sh -c "read line" <&3 & echo $!; exec 3<&-; exec sleep 100';
	const parent = spawn("sh", ["-c", script], { stdio: ["ignore", "pipe", "ignore", "pipe"] });
	try {
		const [line] = await once(parent.stdio[1] as Readable, "data");
		const pid = Number(`${line}`);
		using pidfd = PidFd.open(pid);
		const expected = seen(pid);
		// The shell would reap the process, so it has to have executed the other program.
		while (readFileSync(`/proc/${parent.pid}/comm`, "utf8") !== "sleep\n") await setImmediate();
		(parent.stdio[3] as Writable).end();
		await pidfd.exited();
		expect(readFileSync(`/proc/${pid}/stat`, "utf8")).toMatch(/\) Z/);
		expect(credentialsOf(pidfd)).toEqual(expected);
	} finally {
		parent.kill("SIGKILL");
		await once(parent, "close");
	}
	await using task = await Task.clone();
	using pidfd = PidFd.open(task.pid);
	const child = task.exec("true");
	await child.exited;
	expect(refusal(() => credentialsOf(pidfd))).toMatchObject({ code: "ESRCH" });
	expect(refusal(() => credentialsOf(child)).code).toBe("ERR_NEARFAR_CLOSED");
});

proc.test("a process that the task does not see is ESRCH", async () => {
	await using task = await Task.clone({ namespaces: ["user", "pid"], idMap: "root" });
	using pidfd = PidFd.self();
	using far = task.put(pidfd);
	// `/proc` is still that of this process, and shows both. It is the number that the process has there which counts.
	expect(task.run(() => credentialsOf(far))).toMatchObject({ uid: 0 });
});

proc.test("libcap-ng #11: without a procfs on /proc it is ENOENT, and what lies there is not read", async () => {
	const folder = mkdtempSync(join(tmpdir(), "nearfar-root-"));
	try {
		await using task = await Task.clone({ namespaces: ["user"], idMap: "root" });
		using pidfd = PidFd.self();
		using far = task.put(pidfd);
		task.run(() => chroot(folder));
		expect(refusal(() => task.run(() => credentialsOf(far)))).toMatchObject({ code: "ENOENT", syscall: "openat2" });
		mkdirSync(join(folder, "proc"));
		expect(refusal(() => task.run(() => credentialsOf(far)))).toMatchObject({ code: "ENOENT", syscall: "openat2" });
	} finally {
		rmSync(folder, { recursive: true });
	}
});

needs("root", "mnt namespaces").test("a process that hidepid hides is ESRCH", async () => {
	await using task = await Task.clone({ namespaces: ["mnt"] });
	using pidfd = PidFd.self();
	using far = task.put(pidfd);
	task.run(() => {
		mount(null, "/", null, { flags: ["rec", "private"] });
		mount("proc", "/proc", "proc", { data: "hidepid=invisible" });
		setgroups([]);
		setresgid(4711, 4711, 4711);
	});
	expect(task.run(() => credentialsOf(far))).toEqual(seen("self"));
	task.run(() => setresuid(4711, 4711, 4711));
	expect(refusal(() => task.run(() => credentialsOf(far)))).toMatchObject({ code: "ESRCH" });
});

proc.test("what is not a pidfd is EBADF", async () => {
	await using task = await Task.clone();
	const [read, write] = pipe();
	using file = openat2("/");
	using directory = openat2(`/proc/${task.pid}`);
	for (const fd of [read, write, file, directory]) {
		expect(refusal(() => credentialsOf(fd))).toMatchObject({ code: "EBADF" });
	}
	const number = read.take();
	using taken = FileDescriptor.borrow(number);
	expect(refusal(() => credentialsOf(taken)).code).toBe("EBADF");
	FileDescriptor.from(number).close();
	expect(refusal(() => credentialsOf(taken)).code).toBe("EBADF");
	write.close();
	expect(refusal(() => credentialsOf(write)).code).toBe("ERR_NEARFAR_CLOSED");
});

test("a batch has no ids yet, another table's descriptor is refused, and so is what is neither", async () => {
	await using task = await Task.clone();
	await expect(task.batch(() => credentialsOf(task.process))).rejects.toMatchObject({ code: "ERR_NEARFAR_BATCH" });
	await expect(Task.near.batch(() => credentialsOf(task.process))).rejects.toMatchObject({ code: "ERR_NEARFAR_BATCH" });
	expect(refusal(() => task.run(() => credentialsOf(task.process))).code).toBe("ERR_NEARFAR_FD_TABLE_MISMATCH");
	for (const wrong of [undefined, null, 1, "self", {}, process.pid]) {
		expect(refusal(() => credentialsOf(wrong as never)).code).toBe("ERR_INVALID_ARG_TYPE");
	}
});
