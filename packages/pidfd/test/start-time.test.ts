import { spawn } from "node:child_process";
import { once } from "node:events";
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import { openat2, Process, Task } from "@nearfar/core";
import { expect, test } from "vitest";
import { lastingThreads } from "../../../test/lasting-threads.ts";
import { needs } from "../../../test/needs.ts";
import { becomeOrdinary } from "../../../test/ordinary.ts";
import { refusal, refused } from "../../../test/refusal.ts";
import { PidFd } from "../src/index.ts";
import { stateOf } from "./children.ts";

const inside = { namespaces: ["user", "pid"], idMap: "root" } as const;
const UNSHARE = process.arch === "arm64" ? 97 : 272;
const CLONE_NEWTIME = 0x80;
const MOUNT = process.arch === "arm64" ? 40 : 165;
const TICKS = 100; // for each second: USER_HZ of every architecture that nearfar runs on
const ordinary = needs("/proc");

ordinary.test(
	"the start time is field 22 of /proc/<pid>/stat, of this process, of a child and of a stranger",
	async () => {
		await using task = await Task.clone();
		for (const pid of [process.pid, task.pid, process.ppid]) {
			using pidfd = PidFd.open(pid);
			expect(pidfd.startTime()).toBe(startTimeOf(pid));
		}
	},
);

ordinary.test("the name of the program may hold spaces, parentheses and newlines", async () => {
	const folder = mkdtempSync(join(tmpdir(), "nearfar-start-"));
	const program = join(folder, ") R 1 1\n) 1");
	try {
		copyFileSync("/bin/sleep", program);
		const child = spawn(program, ["60"], { stdio: "ignore" });
		const exit = once(child, "exit");
		await once(child, "spawn");
		using pidfd = PidFd.of(child);
		expect(readFileSync(`/proc/${child.pid}/comm`, "utf8")).toBe(") R 1 1\n) 1\n");
		expect(pidfd.startTime()).toBe(startTimeOf(child.pid ?? 0));
		child.kill("SIGKILL");
		await exit;
	} finally {
		rmSync(folder, { recursive: true });
	}
});

ordinary.test("a process that a pid file names by pid and start time is opened", async () => {
	await using task = await Task.clone();
	const startTime = startTimeOf(task.pid);
	for (const pid of [task.pid, task.process, new Process(task.pid)]) {
		using pidfd = PidFd.open(pid, { startTime });
		expect(pidfd.startTime()).toBe(startTime);
	}
	using nonblocking = PidFd.open(task.pid, { startTime, nonblocking: true });
	expect(nonblocking.blocking).toBe(false);
});

ordinary.test("another start time is ESRCH, and no descriptor stays open", async () => {
	await using task = await Task.clone();
	const startTime = startTimeOf(task.pid);
	task.run(() => {
		const before = PidFd.self();
		const lowest = before.fd;
		before.close();
		for (const pid of [process.ppid, task.process]) {
			for (const other of [startTime + 1, 0]) {
				expect(() => PidFd.open(pid, { startTime: other })).toThrow(refused("ESRCH", "pidfd_open"));
			}
		}
		using after = PidFd.self();
		expect(after.fd).toBe(lowest);
	});
});

ordinary.test("a process that has got the pid of the one in the pid file is refused", async () => {
	await using task = await Task.clone(inside);
	const first = await task.clone({ setTid: [42] });
	const startTime = task.run(() => {
		using pidfd = PidFd.open(42);
		return pidfd.startTime();
	});
	let same = first;
	while (task.run(() => startTimeInside(42)) === startTime) {
		await same.exit();
		same = await task.clone({ setTid: [42] });
	}
	task.run(() => {
		PidFd.open(42).close();
		expect(() => PidFd.open(42, { startTime })).toThrow(refused("ESRCH", "pidfd_open"));
	});
	await same.exit();
});

ordinary.test("a process that was reaped has no start time, though another process has its pid", async () => {
	await using task = await Task.clone(inside);
	const first = await task.clone({ setTid: [42] });
	const pidfd = task.run(() => PidFd.open(42));
	await first.exit();
	await using second = await task.clone({ setTid: [42] });
	expect(second.state).toBe("live");
	expect(task.run(() => refusal(() => pidfd.startTime()))).toMatchObject({ code: "ESRCH", task: task.toString() });
});

ordinary.test("a process that has ended and was not reaped has its start time", async () => {
	await using parent = await Task.clone();
	const zombie = await parent.clone();
	const startTime = startTimeOf(zombie.pid);
	parent.process.kill("SIGSTOP"); // the parent would be asked to reap
	zombie.process.kill("SIGKILL");
	while (stateOf(zombie.pid) !== "Z") await setImmediate();
	using pidfd = PidFd.open(zombie.pid, { startTime });
	expect(pidfd.startTime()).toBe(startTime);
	parent.process.kill("SIGCONT");
	await zombie.process.exited;
});

needs("/proc", "another user as the owner of process 1").test(
	"the start time of another user's process is known",
	async () => {
		await using task = await Task.clone();
		becomeOrdinary(task);
		task.run(() => {
			using init = PidFd.open(1);
			expect(init.startTime()).toBe(startTimeInside(1));
		});
	},
);

needs("/proc", "Linux 6.9").test("a thread has a start time of its own", () => {
	const tid = lastingThreads().at(-1) ?? 0;
	using thread = PidFd.open(tid, { thread: true });
	expect(thread.startTime()).toBe(startTimeOf(`self/task/${tid}`));
});

needs("/proc", "time namespaces").test("a time namespace shows start times as its own clock would", async () => {
	await using outside = await Task.clone({ namespaces: ["user"], idMap: "root" });
	outside.syscall(UNSHARE, CLONE_NEWTIME); // for the children of the task
	outside.run(() => {
		using offsets = openat2("/proc/self/timens_offsets", { flags: ["wronly"] });
		offsets.write("boottime 1000 0\n");
	});
	await using task = await outside.clone();
	using near = PidFd.open(outside.process);
	const far = task.put(near);
	expect(task.run(() => far.startTime())).toBe(near.startTime() + 1000 * TICKS);
});

test("without a /proc, and where /proc does not show the process, the error names /proc", async () => {
	await using task = await Task.clone({ namespaces: ["user", "mnt", "pid"], idMap: "root" });
	await using child = await task.clone();
	const text = (value: string) => Buffer.from(`${value}\0`);
	const error = { code: "ENOENT", syscall: "openat2", path: "/proc" };
	child.syscall(MOUNT, text("none"), text("/proc"), text("proc"), 0, 0);
	using outer = PidFd.self();
	const stranger = child.put(outer);
	expect(child.run(() => refusal(() => stranger.startTime()))).toMatchObject(error);
	child.syscall(MOUNT, text("none"), text("/proc"), text("tmpfs"), 0, 0);
	child.run(() => {
		using self = PidFd.self();
		expect(refusal(() => self.startTime())).toMatchObject(error);
		expect(refusal(() => PidFd.open(1, { startTime: 1 }))).toMatchObject(error);
	});
});

test("a batch has no start time to compare, and says so before it opens anything", async () => {
	await using task = await Task.clone();
	const error = expect.objectContaining({ code: "ERR_NEARFAR_BATCH" });
	await expect(task.batch(() => PidFd.open(process.pid, { startTime: 1 }))).rejects.toThrow(error);
});

test.each([-1, 1.5, Number.NaN, "1", 1n, null])(
	"a start time of %s is refused before the kernel is asked",
	(startTime) => {
		expect(refusal(() => PidFd.open(process.pid, { startTime: startTime as number })).code).toMatch(
			/^ERR_(OUT_OF_RANGE|INVALID_ARG_TYPE)$/,
		);
	},
);

/** Returns the start time that /proc shows of a process of this pid namespace. */
function startTimeOf(pid: number | string): number {
	const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
	return Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19]);
}

/** Returns the start time of a process of the current task's pid namespace, without nearfar's own comparison. */
function startTimeInside(pid: number): number {
	using pidfd = PidFd.open(pid);
	return pidfd.startTime();
}
