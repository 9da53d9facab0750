import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import {
	chdir,
	closeRange,
	EventFd,
	FileDescriptor,
	MultithreadedError,
	NearfarError,
	openat2,
	SyscallError,
	Task,
	TaskGoneError,
	umask,
} from "@nearfar/core";
import { sethostname, setns, unshare } from "@nearfar/namespaces";
import { expect } from "vitest";
import { descriptorsLeft, descriptorsOf } from "../../../../test/descriptors.mjs";
import { needs } from "../../../../test/needs.ts";
import { read } from "../../../../test/processes.ts";
import { refusal } from "../../../../test/refusal.ts";
import { killThreadAt } from "../../../../test/seccomp.ts";

const privileged = needs("root", "/proc", "uts namespaces", "net namespaces");
const kinds = ["cgroup", "ipc", "mnt", "net", "uts"] as const;

/** Returns the namespaces of a thread of this process. */
function namespacesOf(tid: number): string[] {
	return kinds.map((kind) => readlinkSync(`/proc/self/task/${tid}/ns/${kind}`));
}

/** Returns the different sets of namespaces of all threads of this process but one. */
function namespacesOfOthers(tid: number): Set<string> {
	const others = readdirSync("/proc/self/task").filter((other) => other !== `${tid}`);
	const each = others.flatMap((other) => {
		try {
			return [namespacesOf(Number(other)).join(" ")];
		} catch {
			return []; // the thread has ended meanwhile
		}
	});
	return new Set(each);
}

privileged.test(
	"a thread has Node's pid, memory and descriptors, and namespaces, folder and umask of its own",
	async () => {
		await using thread = await Task.thread({ namespaces: ["net", "uts"] });
		const { near } = Task;
		expect([thread.fdTable, thread.addressSpace, thread.pidNamespace, thread.process, thread.pid]).toEqual([
			near.fdTable,
			near.addressSpace,
			near.pidNamespace,
			near.process,
			process.pid,
		]);
		expect([thread.isNear, thread.state, thread.channelFd]).toEqual([false, "live", undefined]);
		expect(`${thread}`).toBe(`thread ${thread.tid} of this process (net uts)`);
		expect(namespacesOfOthers(thread.tid)).toEqual(new Set([namespacesOf(process.pid).join(" ")]));
		const own = namespacesOf(thread.tid).filter((name, index) => name !== namespacesOf(process.pid)[index]);
		expect(own.map((name) => name.split(":")[0])).toEqual(["net", "uts"]);
		const [folder, mask] = [process.cwd(), process.umask()];
		thread.run(() => {
			chdir("/etc");
			umask(0o123);
		});
		expect([process.cwd(), process.umask()]).toEqual([folder, mask]);
		expect(readlinkSync(`/proc/self/task/${thread.tid}/cwd`)).toBe("/etc");
	},
);

privileged.test("a descriptor of a thread is one of Node, and stays open when the thread has ended", async () => {
	const thread = await Task.thread({ namespaces: ["uts"] });
	using file = thread.run(() => openat2("/proc/self/stat"));
	using copy = thread.put(file);
	using back = thread.get(copy);
	expect([copy.file, back.file, back.table]).toEqual([file.file, file.file, Task.near.fdTable]);
	using made = await thread.batch(() => thread.put(file));
	await thread[Symbol.asyncDispose]();
	expect([file, copy, back, made].map((fd) => fd.read(1, { position: 0 }).length)).toEqual([1, 1, 1, 1]);
	expect(thread.state).toBe("exited");
	expect(readdirSync("/proc/self/task")).not.toContain(`${thread.tid}`);
	expect(() => thread.run(() => {})).toThrow(TaskGoneError);
	await expect(thread.batch(() => {})).rejects.toThrow(TaskGoneError);
	await thread[Symbol.asyncDispose]();
});

privileged.test("tid is the thread's id, of a task its pid, and near that of the calling thread", async () => {
	await using thread = await Task.thread();
	await using task = await Task.clone();
	expect([Task.near.tid, task.tid]).toEqual([process.pid, task.pid]);
	expect(readFileSync(`/proc/self/task/${thread.tid}/comm`, "utf8")).toBe("nearfar-thread\n");
});

privileged.test("all signals are blocked in a thread but 32 to 34", async () => {
	await using thread = await Task.thread();
	const status = readFileSync(`/proc/self/task/${thread.tid}/status`, "utf8");
	const blocked = BigInt(`0x${/SigBlk:\t(.*)/.exec(status)?.[1]}`);
	const [kill, stop] = [9n, 19n].map((signal) => 1n << (signal - 1n));
	const libc = 7n << 31n;
	expect(blocked | (kill ?? 0n) | (stop ?? 0n) | libc).toBe(2n ** 64n - 1n);
	expect(blocked & libc).toBe(0n);
});

privileged.test.each([
	["user", () => unshare(["user"])],
	["time", () => unshare(["time"])],
	["pid (mydocker #50)", () => unshare(["pid"])],
	["net and pid", () => unshare(["net", "pid"])],
	["files, by number", () => unshare(0x400)],
	["fs, by number", () => unshare(0x200)],
	["nothing, by number", () => unshare(0)],
])("unshare of %s is refused in a thread before the kernel is asked", async (_, call) => {
	await using thread = await Task.thread();
	expect(refusal(() => thread.run(call))).toBeInstanceOf(MultithreadedError);
	await expect(thread.batch(call)).rejects.toBeInstanceOf(MultithreadedError);
	// The C library could start no thread any more after unshare(CLONE_NEWPID).
	await using other = await Task.thread();
	expect(other.tid).toBeGreaterThan(0);
});

privileged.test.each(["user", "pid", "time"] as const)(
	"a %s namespace is refused in join and in setns",
	async (kind) => {
		using fd = openat2(`/proc/self/ns/${kind}`);
		await expect(Task.thread({ join: [fd] })).rejects.toBeInstanceOf(MultithreadedError);
		await expect(Task.thread({ namespaces: [kind as "net"] })).rejects.toBeInstanceOf(TypeError);
		await using thread = await Task.thread();
		for (const call of [() => setns(fd), () => setns(fd, [kind]), () => setns(fd, ["net", kind])]) {
			expect(refusal(() => thread.run(call))).toBeInstanceOf(MultithreadedError);
			await expect(thread.batch(call)).rejects.toBeInstanceOf(MultithreadedError);
		}
	},
);

privileged.test(
	"blazesym #464: a thread joins namespaces in order, also of mounts, and asks for a kind that is not said",
	async () => {
		await using home = await Task.clone({ namespaces: ["mnt", "uts", "net"] });
		using mnt = home.get(home.run(() => openat2("/proc/self/ns/mnt")));
		using uts = home.get(home.run(() => openat2("/proc/self/ns/uts")));
		using net = home.get(home.run(() => openat2("/proc/self/ns/net")));
		await using thread = await Task.thread({ join: [mnt, uts] });
		thread.run(() => setns(net));
		const inside = (["mnt", "net", "uts"] as const).map((kind) => readlinkSync(`/proc/${home.pid}/ns/${kind}`));
		const seen = namespacesOf(thread.tid).filter((name) => /^(mnt|net|uts)/.test(name));
		expect(seen).toEqual(inside);
		expect(`${thread}`).toBe(`thread ${thread.tid} of this process (mnt uts net)`);
		using file = openat2("/proc/self/stat");
		expect(refusal(() => thread.run(() => setns(file)))).toMatchObject({ code: "ENOTTY", syscall: "ioctl" });
	},
);

privileged.test("a thread that may not enter or make a namespace has ended when the promise rejects", async () => {
	const isTask = (tid: string) => read(`/proc/self/task/${tid}/comm`) === "nearfar-thread\n";
	const threads = () => readdirSync("/proc/self/task").filter(isTask).length;
	using file = openat2("/proc/self/stat");
	const before = threads();
	await expect(Task.thread({ join: [file] })).rejects.toMatchObject({ code: "ENOTTY" });
	const aborted = AbortSignal.abort();
	await expect(Task.thread({ signal: aborted })).rejects.toMatchObject({ code: "ABORT_ERR" });
	const controller = new AbortController();
	const started = Task.thread({ namespaces: ["net"], signal: controller.signal });
	controller.abort("why");
	await expect(started).rejects.toMatchObject({ code: "ABORT_ERR", cause: "why" });
	await expect.poll(threads).toBe(before);
});

needs("an ordinary user").test("an ordinary user is refused every kind", async () => {
	for (const kind of kinds) {
		const error = await Task.thread({ namespaces: [kind] }).catch((error: unknown) => error);
		expect(error).toBeInstanceOf(SyscallError);
		expect(error).toMatchObject({ code: "EPERM", syscall: "unshare" });
	}
	await using thread = await Task.thread();
	expect(thread.state).toBe("live");
});

privileged.test("what belongs to a process or to Node is refused in a thread", async () => {
	await using thread = await Task.thread();
	await using task = await Task.clone();
	using file = openat2("/proc/self/stat");
	const code = "ERR_NEARFAR_THREAD";
	await expect(thread.clone()).rejects.toMatchObject({ code });
	await expect(thread.exit()).rejects.toMatchObject({ code });
	expect(refusal(() => thread.exec("true"))).toMatchObject({ code });
	expect(refusal(() => thread.supervise(task.process))).toMatchObject({ code });
	expect(refusal(() => thread.run(() => closeRange(3, 4)))).toBeInstanceOf(NearfarError);
	expect(refusal(() => thread.run(() => file.dupTo(1)))).toBeInstanceOf(RangeError);
	expect(refusal(() => thread.put(file, { number: 1 }))).toBeInstanceOf(RangeError);
	expect(refusal(() => thread.run(() => thread.process.setpriority(1)))).toBeInstanceOf(MultithreadedError);
	expect(refusal(() => thread.put({} as FileDescriptor))).toBeInstanceOf(TypeError);
	expect(refusal(() => thread.get({} as FileDescriptor))).toBeInstanceOf(TypeError);
});

privileged.test("a call that blocks in a batch leaves the event loop free, and dispose waits for its end", async () => {
	const thread = await Task.thread();
	const pipe2 = process.arch === "arm64" ? 59 : 293;
	const ends = new Int32Array(2);
	Task.near.syscall(pipe2, new Uint8Array(ends.buffer), 0);
	using reader = FileDescriptor.from(ends[0] ?? -1);
	using writer = FileDescriptor.from(ends[1] ?? -1);
	const sysRead = process.arch === "arm64" ? 63 : 0;
	const events: string[] = [];
	using begun = EventFd.create();
	const batch = thread
		.batch(() => {
			begun.write(1n);
			thread.syscall(sysRead, reader, new Uint8Array(1), 1);
		})
		.then(() => events.push("batch"));
	await begun.readAsync();
	const later = thread.batch(() => chdir("/"));
	const ended = thread[Symbol.asyncDispose]().then(() => events.push("dispose"));
	await expect(later).rejects.toBeInstanceOf(TaskGoneError);
	for (let turn = 0; turn < 5; turn++) await new Promise(setImmediate);
	events.push("loop");
	writer.write("x");
	await Promise.all([batch, ended]);
	expect(events).toEqual(["loop", "batch", "dispose"]);
});

privileged.test(
	"a batch of a thread counts steps, closes what it has made after a failure, and uses its own results",
	async () => {
		await using thread = await Task.thread({ namespaces: ["uts"] });
		const before = descriptorsOf(/./).length;
		const failing = thread.batch(() => {
			sethostname("inside");
			openat2("/proc/self/stat");
			openat2("/nothing-has-this-name");
		});
		await expect(failing).rejects.toMatchObject({ code: "ENOENT", step: 2, task: `${thread}` });
		expect(await descriptorsLeft(/./, before)).toBe(0);
		expect(await thread.batch(() => 5)).toBe(5);
	},
);

privileged.test(
	"a thread that the kernel has killed alone is gone for run, for a batch under way, and for dispose",
	async () => {
		const sysGetppid = process.arch === "arm64" ? 173 : 110;
		for (const killed of ["run", "run behind a batch", "batch", "dispose"]) {
			const thread = await Task.thread();
			killThreadAt(thread, sysGetppid);
			if (killed === "run") expect(refusal(() => thread.syscall(sysGetppid))).toBeInstanceOf(TaskGoneError);
			else {
				const batch = thread.batch(() => void thread.syscall(sysGetppid));
				if (killed === "run behind a batch")
					expect(refusal(() => thread.run(() => chdir("/")))).toBeInstanceOf(TaskGoneError);
				if (killed === "batch") await expect(batch).rejects.toBeInstanceOf(TaskGoneError);
				else batch.catch(() => {});
			}
			await thread[Symbol.asyncDispose]();
			expect(thread.state).toBe("exited");
		}
		await using other = await Task.thread();
		expect(other.state).toBe("live");
	},
);

needs("/proc").test("100 threads are made and ended, and none is left", async () => {
	const threads = await Promise.all(Array.from({ length: 100 }, () => Task.thread()));
	const tids = threads.map(({ tid }) => `${tid}`);
	const shown = () => readdirSync("/proc/self/task").filter((tid) => tids.includes(tid)).length;
	expect([new Set(tids).size, shown()]).toEqual([100, 100]);
	await Promise.all(threads.map((thread) => thread[Symbol.asyncDispose]()));
	expect(shown()).toBe(0);
});
