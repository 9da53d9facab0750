import { mkdirSync, readdirSync, readFileSync, readlinkSync, rmdirSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { cgroupRoot, has, isRoot, needs } from "../../../../test/needs.ts";
import { children, stat } from "../../../../test/processes.ts";
import { reason } from "../../../../test/reason.ts";
import { type NamespaceKind, openat2, type SyscallError, Task } from "../../src/index.ts";

const kinds: NamespaceKind[] = ["cgroup", "ipc", "mnt", "net", "pid", "user", "uts"];
const uid = process.getuid?.() ?? 0;
const getpid = process.arch === "x64" ? 39 : 172;
const namespace = (pid: number, kind: string) => readlinkSync(`/proc/${pid}/ns/${kind}`);
const map = (pid: number, which: string) =>
	readFileSync(`/proc/${pid}/${which}_map`, "utf8").trim().split(/\s+/).map(Number);
const status = (pid: number, name: string) =>
	new RegExp(`^${name}:\\s*(.*)$`, "m").exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];

test("a task is a child of Node's, with its stdio and no other descriptor but the channel", async () => {
	await using task = await Task.clone();
	task.syscall(getpid); // the task closes the descriptors of the clone message before this call
	expect(stat(task.pid)).toMatchObject({ parent: process.pid });
	for (const fd of [0, 1, 2])
		expect(readlinkSync(`/proc/${task.pid}/fd/${fd}`)).toBe(readlinkSync(`/proc/self/fd/${fd}`));
	const numbers = readdirSync(`/proc/${task.pid}/fd`).map(Number);
	expect(numbers.sort((a, b) => a - b)).toEqual([0, 1, 2, task.channelFd]);
});

test("CL3-07 every signal is at its default and unblocked, though Node ignores SIGPIPE", async () => {
	await using task = await Task.clone();
	task.syscall(getpid); // the task has begun when it replies
	expect(status(process.pid, "SigIgn")).not.toMatch(/^0+$/);
	for (const name of ["SigBlk", "SigIgn", "SigCgt"]) expect(status(task.pid, name)).toMatch(/^0+$/);
});

describe("namespaces", () => {
	for (const kind of kinds.filter((kind) => kind !== "user")) {
		needs(`${kind} namespaces`).test(`${kind}, with user, is a new one and no other is`, async () => {
			await using task = await Task.clone({ namespaces: ["user", kind] });
			const there = kinds.filter((other) => has(`${other} namespaces`));
			const others = there.filter((other) => namespace(task.pid, other) !== namespace(process.pid, other));
			expect(others.sort()).toEqual([kind, "user"].sort());
		});
	}

	needs("time namespaces").test("time, with user, is that of the children", async () => {
		await using task = await Task.clone({ namespaces: ["user", "time"] });
		expect(namespace(task.pid, "time_for_children")).not.toBe(namespace(process.pid, "time_for_children"));
	});

	test("CL3-09 pid needs a privilege, or user along with it", async () => {
		await using outer = await Task.clone({ namespaces: ["user", "pid"] });
		expect(outer.syscall(getpid)).toBe(1n);
		await using unprivileged = await Task.clone();
		if (isRoot) {
			const [setresuid, setresgid] = process.arch === "x64" ? [117, 119] : [147, 149];
			unprivileged.syscall(setresgid, 1000, 1000, 1000);
			unprivileged.syscall(setresuid, 1000, 1000, 1000);
		}
		expect(await reason(() => unprivileged.clone({ namespaces: ["pid"] }))).toMatchObject({
			code: "EPERM",
			syscall: "clone3",
		});
		expect(unprivileged.state).toBe("live");
		await using inner = await unprivileged.clone({ namespaces: ["user", "pid"] });
		expect(inner.syscall(getpid)).toBe(1n);
		const id = isRoot ? 1000 : uid;
		expect(map(inner.pid, "uid")).toEqual([id, id, 1]);
	});
});

describe("CL3-06 setTid", () => {
	test("1 in a new pid namespace", async () => {
		await using task = await Task.clone({ namespaces: ["user", "pid"], setTid: [1] });
		expect(task.syscall(getpid)).toBe(1n);
	});

	test("more than there are pid namespaces is EINVAL, without the privilege EPERM", async () => {
		await using task = await Task.clone({ namespaces: ["user"] });
		const many = Array.from({ length: 33 }, () => 1);
		expect(await reason(() => Task.clone({ setTid: many }))).toMatchObject({ code: "EINVAL", syscall: "clone3" });
		expect(await reason(() => task.clone({ setTid: [2] }))).toMatchObject({ code: "EPERM", syscall: "clone3" });
	});

	needs("root").test("a pid of choice is given; one in use is EEXIST", async () => {
		const free = await Task.clone();
		const { pid } = free;
		await free.exit();
		await using task = await Task.clone({ setTid: [pid] });
		expect(task.pid).toBe(pid);
		expect(await reason(() => Task.clone({ setTid: [1] }))).toMatchObject({ code: "EEXIST", syscall: "clone3" });
	});
});

needs("cgroup v2 in which this user can make groups").describe("cgroup", () => {
	const path = `${cgroupRoot}/nearfar-clone-${process.pid}`;
	const inGroup = (pid: number) => readFileSync(`/proc/${pid}/cgroup`, "utf8").match(/^0::(.*)$/m)?.[1];

	test("is where the task begins, and what it clones and executes", async () => {
		mkdirSync(path);
		using cgroup = openat2(path, { flags: ["path", "directory"] });
		const task = await Task.clone({ cgroup });
		const nested = await task.clone();
		const other = await Task.clone();
		const moved = await other.clone({ cgroup });
		const program = moved.exec("/bin/sleep", ["sleep", "1000"]);
		const name = expect.stringMatching(new RegExp(`/nearfar-clone-${process.pid}$`));
		expect([task, nested, program].map(({ pid }) => inGroup(pid))).toEqual([name, name, name]);
		expect(inGroup(other.pid)).toBe(inGroup(process.pid));
		const procs = readFileSync(`${path}/cgroup.procs`, "utf8").trim().split("\n").map(Number);
		expect(procs.sort()).toEqual([task.pid, nested.pid, program.pid].sort());
		for (const { process } of [moved, nested, task, other]) await process[Symbol.asyncDispose]();
		rmdirSync(path);
	});

	test("that was removed is ENOENT or ENODEV, and no process is made", async () => {
		mkdirSync(path);
		using cgroup = openat2(path, { flags: ["path", "directory"] });
		rmdirSync(path);
		const before = children(process.pid);
		expect(await reason(() => Task.clone({ cgroup }))).toMatchObject({
			code: expect.stringMatching(/^ENO(ENT|DEV)$/),
			syscall: "clone3",
		});
		expect(children(process.pid)).toEqual(before);
	});
});

needs("cgroup v2 of another user").test("a cgroup of another user is EACCES", async () => {
	using cgroup = openat2(cgroupRoot ?? "", { flags: ["path", "directory"] });
	const error = (await reason(() => Task.clone({ cgroup }))) as SyscallError;
	expect(error).toMatchObject({ code: "EACCES", syscall: "clone3" });
	expect(error.hint).toContain(`above both ${cgroupRoot} and`); // CG-01
});

test("a cgroup that is none is EBADF", async () => {
	using folder = openat2("/");
	expect(await reason(() => Task.clone({ cgroup: folder }))).toMatchObject({ code: "EBADF", syscall: "clone3" });
});

test("an abort before and during a clone leaves nothing, and one after it has no effect", async () => {
	const before = children(process.pid);
	const why = new Error("why");
	expect(await reason(() => Task.clone({ signal: AbortSignal.abort(why) }))).toMatchObject({
		code: "ABORT_ERR",
		cause: why,
	});
	const controller = new AbortController();
	const cloning = reason(() => Task.clone({ signal: controller.signal, namespaces: ["user", "pid", "mnt"] }));
	controller.abort();
	expect(await cloning).toMatchObject({ name: "AbortError" });
	// The promise rejects after 100 ms at the latest, and on a busy machine the killed task may end later.
	await expect.poll(() => children(process.pid)).toEqual(before);
	const late = new AbortController();
	await using task = await Task.clone({ signal: late.signal });
	late.abort();
	expect(task.syscall(getpid)).toBe(BigInt(task.pid));
});
