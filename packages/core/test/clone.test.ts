import { mkdirSync, readFileSync, readlinkSync, rmdirSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { type IdMaps, type NamespaceKind, openat2, Task } from "../src/index.ts";
import { children, expectNoLeaks, stat } from "./leaks.ts";
import { cgroup2, root } from "./privilege.ts";
import { reason } from "./reason.ts";

expectNoLeaks();

const kinds: NamespaceKind[] = ["cgroup", "ipc", "mnt", "net", "pid", "user", "uts"];
const [uid = 0, gid = 0] = [process.getuid?.(), process.getgid?.()];
const getpid = process.arch === "x64" ? 39 : 172;
const namespace = (pid: number, kind: string) => readlinkSync(`/proc/${pid}/ns/${kind}`);
const map = (pid: number, which: string) =>
	readFileSync(`/proc/${pid}/${which}_map`, "utf8").trim().split(/\s+/).map(Number);
const status = (pid: number, name: string) =>
	new RegExp(`^${name}:\\s*(.*)$`, "m").exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];

test("a task is a child of Node's, with its stdio and no other descriptor but the channel", async () => {
	await using task = await Task.clone();
	task.syscall(getpid); // what came with the clone is closed by then
	expect(stat(task.pid)).toMatchObject({ parent: process.pid });
	for (const fd of [0, 1, 2])
		expect(readlinkSync(`/proc/${task.pid}/fd/${fd}`)).toBe(readlinkSync(`/proc/self/fd/${fd}`));
	using folder = task.run(() => openat2("/proc/self/fd"));
	const listed = Buffer.alloc(1024);
	const length = Number(task.syscall(process.arch === "x64" ? 217 : 61, folder, listed, 1024n)); // getdents64
	const numbers = [
		...listed
			.subarray(0, length)
			.toString("latin1")
			.matchAll(/\x04?(\d+)\0/g),
	].map(([, name]) => Number(name));
	expect(numbers.sort((a, b) => a - b)).toEqual([0, 1, 2, folder.fd, task.channelFd]);
});

test("CL3-07 every signal is at its default and unblocked, though Node ignores SIGPIPE", async () => {
	await using task = await Task.clone();
	task.syscall(getpid); // by then it has begun
	expect(status(process.pid, "SigIgn")).not.toMatch(/^0+$/);
	for (const name of ["SigBlk", "SigIgn", "SigCgt"]) expect(status(task.pid, name)).toMatch(/^0+$/);
});

describe("namespaces", () => {
	test.each(kinds.filter((kind) => kind !== "user"))("%s, with user, is a new one and no other is", async (kind) => {
		await using task = await Task.clone({ namespaces: ["user", kind] });
		const others = kinds.filter((other) => namespace(task.pid, other) !== namespace(process.pid, other));
		expect(others.sort()).toEqual([kind, "user"].sort());
	});

	test("time, with user, is that of the children", async () => {
		await using task = await Task.clone({ namespaces: ["user", "time"] });
		expect(namespace(task.pid, "time_for_children")).not.toBe(namespace(process.pid, "time_for_children"));
	});

	test("CL3-09 pid needs a privilege, or user along with it", async () => {
		await using outer = await Task.clone({ namespaces: ["user", "pid"] });
		expect(outer.syscall(getpid)).toBe(1n);
		await using unprivileged = await Task.clone();
		if (root) {
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
		const id = root ? 1000 : uid;
		expect(map(inner.pid, "uid")).toEqual([id, id, 1]);
	});
});

describe("idMap", () => {
	test.each([
		["identity by default", undefined, [uid, uid, 1], [gid, gid, 1]],
		["identity", "identity", [uid, uid, 1], [gid, gid, 1]],
		["root", "root", [0, uid, 1], [0, gid, 1]],
		["none", "none", [0], [0]],
	] as const)("%s", async (_, idMap, uids, gids) => {
		await using task = await Task.clone({ namespaces: ["user"], ...(idMap && { idMap }) });
		const expected = idMap === "none" ? [""] : undefined;
		expect(map(task.pid, "uid")).toEqual(expected ? [0] : uids);
		expect(map(task.pid, "gid")).toEqual(expected ? [0] : gids);
	});

	const one = (inside: number, outside: number, count = 1) => ({ inside, outside, count });

	test("ranges: one's own id, without a privilege", async () => {
		const idMap: IdMaps = { uids: [one(5, uid)], gids: [one(6, gid)] };
		await using task = await Task.clone({ namespaces: ["user"], idMap });
		expect([map(task.pid, "uid"), map(task.pid, "gid")]).toEqual([
			[5, uid, 1],
			[6, gid, 1],
		]);
		expect(task.syscall(process.arch === "x64" ? 102 : 174)).toBe(5n);
	});

	test("ranges of a child of a task are in terms of that task's user namespace", async () => {
		await using task = await Task.clone({ namespaces: ["user", "pid"], idMap: "root" });
		const idMap: IdMaps = { uids: [one(7, 0)], gids: [one(8, 0)] };
		await using inner = await task.clone({ namespaces: ["user"], idMap });
		expect(inner.syscall(process.arch === "x64" ? 102 : 174)).toBe(7n);
	});

	test.skipIf(!root)("ranges: whole ones, as root", async () => {
		const idMap: IdMaps = { uids: [one(0, 0, 10), one(100, 200_000, 65_536)], gids: [one(0, 300_000, 2 ** 20)] };
		await using task = await Task.clone({ namespaces: ["user"], idMap });
		expect(map(task.pid, "uid")).toEqual([0, 0, 10, 100, 200_000, 65_536]);
		expect(map(task.pid, "gid")).toEqual([0, 300_000, 2 ** 20]);
	});

	test("ranges that overlap are EINVAL, and nothing is left", async () => {
		const before = children(process.pid);
		const uids = [one(0, uid), one(0, uid)];
		const clone = () => Task.clone({ namespaces: ["user"], idMap: { uids, gids: [one(0, gid)] } });
		expect(await reason(clone)).toMatchObject({ code: expect.stringMatching(/EINVAL|EPERM/), syscall: "write" });
		expect(children(process.pid)).toEqual(before);
	});

	test.skipIf(root)("ranges of others are EPERM, as an ordinary user, and nothing is left", async () => {
		const before = children(process.pid);
		const clone = () => Task.clone({ namespaces: ["user"], idMap: { uids: [one(0, 0)], gids: [one(0, gid)] } });
		expect(await reason(clone)).toMatchObject({ code: "EPERM", syscall: "write" });
		expect(children(process.pid)).toEqual(before);
	});

	test("more than 340 ranges are refused before anything happens", async () => {
		const many = Array.from({ length: 341 }, (_, index) => one(index, index));
		const clone = () => Task.clone({ namespaces: ["user"], idMap: { uids: many, gids: many } });
		expect(await reason(clone)).toMatchObject({ code: "ERR_INVALID_ARG_VALUE" });
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

	test.skipIf(!root)("as root a pid of choice; one in use is EEXIST", async () => {
		await using task = await Task.clone({ setTid: [31_999] });
		expect(task.pid).toBe(31_999);
		expect(await reason(() => Task.clone({ setTid: [1] }))).toMatchObject({ code: "EEXIST", syscall: "clone3" });
	});
});

test.skipIf(!cgroup2)("cgroup (where cgroup2 is mounted, as root) is where the task begins", async () => {
	const path = `${cgroup2}/nearfar-clone-${process.pid}`;
	mkdirSync(path);
	using cgroup = openat2(path, { flags: ["path", "directory"] });
	const task = await Task.clone({ cgroup });
	expect(readFileSync(`/proc/${task.pid}/cgroup`, "utf8")).toMatch(
		new RegExp(`^0::.*/nearfar-clone-${process.pid}$`, "m"),
	);
	await task[Symbol.asyncDispose]();
	rmdirSync(path);
});

test("a cgroup that is none is EBADF", async () => {
	using folder = openat2("/");
	expect(await reason(() => Task.clone({ cgroup: folder }))).toMatchObject({ code: "EBADF", syscall: "clone3" });
});

test("an abort before and during a clone leaves nothing, and one after it has no effect", async () => {
	const before = children(process.pid);
	const why = new Error("why");
	expect(await reason(() => Task.clone({ signal: AbortSignal.abort(why) }))).toBe(why);
	const controller = new AbortController();
	const cloning = reason(() => Task.clone({ signal: controller.signal, namespaces: ["user", "pid", "mnt"] }));
	controller.abort();
	expect(await cloning).toMatchObject({ name: "AbortError" });
	expect(children(process.pid)).toEqual(before);
	const late = new AbortController();
	await using task = await Task.clone({ signal: late.signal });
	late.abort();
	expect(task.syscall(getpid)).toBe(BigInt(task.pid));
});
