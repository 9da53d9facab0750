// Namespaces of Workers and threads, with each kind of /proc, and on kernels without pidfds of threads.
import { setImmediate } from "node:timers/promises";
import { mkdir, mknod, Task } from "@nearfar/core";
import { native } from "@nearfar/core/internal";
import { mount, tmpfs } from "@nearfar/mount";
import { Namespace, setns } from "@nearfar/namespaces";
import { PidFd } from "@nearfar/pidfd";
import { setDumpable } from "@nearfar/process";
import { expect, test } from "vitest";
import { runFixtureIn } from "../../../test/fixture-in-task.ts";
import { has, needs } from "../../../test/needs.ts";
import { refusal } from "../../../test/refusal.ts";
import { forbid } from "../../../test/seccomp.ts";
import { arm64, namespaceRequests, SYS_ioctl } from "./tasks.ts";

const SYS_pidfd_open = 434;
const [SYS_ptrace, PTRACE_SEIZE] = [arm64 ? 117 : 101, 0x4206];
const [PIDFD_THREAD, EINVAL, ENOTTY] = [128, 22, 25];

const own = {
	worker: { isOwn: true, isSame: true, ofProcess: true },
	thread: { isOwn: true, isSame: [true, true, true], near: true },
};

test.each(has("Linux 6.11") ? ["own", "none", "outer"] : ["own", "outer"])(
	"a Worker and a thread open their own namespaces where /proc is: %s",
	async (proc) => {
		const { report } = await runFixtureIn(await taskWith(proc), "namespaces/own-namespaces", proc);
		expect(report).toEqual(own);
	},
);

needs("pid namespaces").test.each(["own", "outer"])(
	"before Linux 6.9 a Worker and a thread find their namespaces where /proc is: %s",
	async (proc) => {
		const task = await taskWith(proc);
		forbid(task, SYS_pidfd_open, EINVAL, PIDFD_THREAD, 1);
		for (const request of namespaceRequests) forbid(task, SYS_ioctl, ENOTTY, request, 1);
		const { report } = await runFixtureIn(task, "namespaces/own-namespaces", proc);
		expect(report).toEqual(own);
	},
);

/** Clones a task to which `/proc` belongs, or in which `/proc` is that of an outer pid namespace. */
function taskWith(proc: string): Promise<Task> {
	return Task.clone({ namespaces: proc === "outer" ? ["user", "mnt", "pid"] : ["user", "mnt"], idMap: "root" });
}

needs("pid namespaces").test.each(["ioctl", "/proc"])(
	"a pidfd whose pid another process has got meanwhile is ESRCH, by %s",
	async (way) => {
		await using init = await Task.clone({ namespaces: ["user", "pid", "mnt"], idMap: "root" });
		await using guest = await init.clone();
		init.run(() => mount("proc", "/proc", "proc"));
		if (way === "/proc") forbid(guest, SYS_ioctl, ENOTTY);
		const first = await init.clone();
		first.run(() => setDumpable(true));
		const pid = first.run(() => native().getpid());
		using pidfd = guest.run(() => PidFd.open(pid));
		guest.run(() => Namespace.of(pidfd, "uts")).close();
		await first.exit();
		await using second = await init.clone({ setTid: [pid] });
		second.run(() => setDumpable(true));
		expect(refusal(() => guest.run(() => Namespace.of(pidfd, "uts"))).code).toBe("ESRCH");
		guest.run(() => Namespace.of(pid, "uts")).close();
	},
);

needs("pid namespaces", "a process that another one may trace").test.each(["ioctl", "/proc"])(
	"a process that is ending and has left its namespaces is ESRCH, by %s",
	async (way) => {
		await using guest = await Task.clone();
		if (way === "/proc") for (const request of namespaceRequests) forbid(guest, SYS_ioctl, ENOTTY, request, 1);
		const init = await Task.clone({ namespaces: ["user", "pid"], idMap: "root" });
		const child = await init.clone();
		for (const task of [init, child]) task.run(() => setDumpable(true));
		await using tracer = await Task.clone();
		tracer.syscall(SYS_ptrace, PTRACE_SEIZE, child.pid, 0, 0);
		// Process 1 leaves its namespaces, and then waits for the end of the child, which the tracer does not reap.
		init.process.kill("SIGKILL");
		let code: unknown;
		while (code === undefined) {
			code = refusal(() => guest.run(() => Namespace.of(init, "uts")).close()).code;
			await setImmediate();
		}
		expect(code).toBe("ESRCH");
		expect(init.process.poll()).toBeUndefined();
		await tracer.exit();
		await init.process.exited;
	},
);

test("a FIFO in the place of a link of /proc blocks no hint", async () => {
	await using task = await Task.clone({ namespaces: ["user", "mnt"], idMap: "root" });
	const code = task.run(() => {
		using user = Namespace.current("user");
		using mnt = Namespace.current("mnt");
		tmpfs("/proc");
		for (const folder of ["/proc/self", "/proc/self/ns", "/proc/thread-self", "/proc/thread-self/ns"]) mkdir(folder);
		for (const path of ["/proc/self/ns/user", "/proc/thread-self/ns/user", "/proc/thread-self/ns/mnt"]) {
			mknod(path, "fifo");
		}
		tmpfs("/tmp");
		return [refusal(() => setns(user, ["user"])).code, refusal(() => mnt.pin("/tmp/mnt")).code];
	});
	expect(code).toEqual(["EINVAL", "ELOOP"]);
});

test("NST-37 the parents of a user namespace on the 32nd level lead up to Node's, and the 33rd is refused", async () => {
	const tasks: Task[] = [];
	let task = Task.near as unknown as Task;
	let refused: NodeJS.ErrnoException = {} as NodeJS.ErrnoException;
	let levels = 0;
	for (; levels < 40; levels++) {
		try {
			task = await task.clone({ namespaces: ["user"], idMap: "root" });
			tasks.push(task);
		} catch (error) {
			refused = error as NodeJS.ErrnoException;
			break;
		}
	}
	expect(["EUSERS", "ENOSPC"]).toContain(refused.code);
	let parents = 0;
	let namespace: Namespace | undefined = Namespace.of(task, "user");
	using top = Namespace.current("user");
	while (namespace && !namespace.same(top)) {
		const parent: Namespace | undefined = namespace.parent();
		namespace.close();
		namespace = parent;
		parents++;
	}
	namespace?.close();
	expect(parents).toBe(levels);
	using above = task.run(() => {
		using deepest = Namespace.current("user");
		return deepest.parent();
	});
	expect(above).toBeUndefined();
	for (const each of tasks.reverse()) await each[Symbol.asyncDispose]();
});
