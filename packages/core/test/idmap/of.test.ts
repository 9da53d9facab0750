import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { IdMap, openat2, Process, Task } from "@nearfar/core";
import { expect } from "vitest";
import { needs } from "../../../../test/needs.ts";
import { ownProc } from "../../../../test/own-proc.ts";
import { neverOpen, refusal } from "../../../../test/refusal.ts";

const [uid = 0, gid = 0] = [process.geteuid?.(), process.getegid?.()];
const line = (inside: number, outside: number, count = 1) => ({ inside, outside, count });
const SYS_pidfd_open = 434;
const { test } = needs("/proc");

test("the map of this process is that of /proc, whatever names the process", async () => {
	const expected = IdMap.parse(readFileSync("/proc/self/uid_map", "utf8"));
	for (const each of [Task.near, process.pid, new Process(process.pid)]) {
		expect(IdMap.of(each, "uids")).toEqual(expected);
	}
	expect(IdMap.of(process.pid, "gids")).toEqual(IdMap.parse(readFileSync("/proc/self/gid_map", "utf8")));
	using pidfd = Task.near.syscall(SYS_pidfd_open, process.pid, 0, { fd: true });
	expect(IdMap.of(pidfd, "uids")).toEqual(expected);
});

test("the map of a task is read from outside, and from inside", async () => {
	await using task = await Task.clone({
		namespaces: ["user"],
		idMap: { uids: [line(5, uid)], gids: [line(6, gid)] },
	});
	for (const each of [task, task.process, task.pid]) {
		expect(IdMap.of(each, "uids").mappings).toEqual([line(5, uid)]);
		expect(IdMap.of(each, "gids").mappings).toEqual([line(6, gid)]);
	}
	expect(task.run(() => IdMap.of(task, "uids")).mappings).toEqual([line(5, uid)]);
});

test("a namespace without a map has the empty map", async () => {
	await using task = await Task.clone({ namespaces: ["user"], idMap: "none" });
	expect(IdMap.of(task, "uids").count).toBe(0);
});

test("ids that the reader's user namespace does not have are left out", async () => {
	await using none = await Task.clone({ namespaces: ["user"], idMap: "none" });
	await using one = await Task.clone({ namespaces: ["user"], idMap: { uids: [line(7, uid)], gids: [line(7, gid)] } });
	expect(none.run(() => IdMap.of(one, "uids")).count).toBe(0);
	// The map of this process has many ids, of which the reader has one. The kernel converts the first one alone.
	const own = IdMap.of(Task.near, "uids");
	const seen = one.run(() => IdMap.of(Task.near, "uids"));
	for (const { outside, count } of seen) {
		expect(outside).toBe(7);
		expect(count).toBe(1);
	}
	expect(own.count).toBeGreaterThanOrEqual(seen.count);
});

needs("/proc", "root").test("a line of another namespace ends where the reader's own line ends", async () => {
	await using reader = await Task.clone({
		namespaces: ["user"],
		idMap: { uids: [line(0, 1000, 10), line(10, 5000, 10)], gids: [line(0, 0)] },
	});
	const sibling = { uids: [line(0, 1005, 100), line(100, 5000, 10), line(200, 9000, 10)], gids: [line(0, 0)] };
	await using other = await Task.clone({ namespaces: ["user"], idMap: sibling });
	expect(reader.run(() => IdMap.of(other, "uids")).mappings).toEqual([line(0, 5, 5), line(100, 10, 10)]);
	expect(IdMap.of(other, "uids").mappings).toEqual(sibling.uids);
});

needs("/proc", "root").test(
	"podman #8816, D11: neighbours that are two lines of the kernel are joined, and still cut",
	async () => {
		await using parent = await Task.clone({ namespaces: ["user"], idMap: "none" });
		const lines = "0 0 5\n5 5 60000\n";
		writeFileSync(`/proc/${parent.pid}/uid_map`, lines);
		writeFileSync(`/proc/${parent.pid}/gid_map`, lines);
		const own = parent.run(() => IdMap.of(parent, "uids"));
		expect(own.mappings).toEqual([line(0, 0, 60_005)]);
		const map = IdMap.identity(0, 10);
		const cut = map.cutBy(own);
		expect(`${cut}`).toBe("0 0 5\n5 5 5\n");
		// The kernel refuses the line, and takes the two pieces.
		await using child = await parent.clone({ namespaces: ["user"], idMap: "none" });
		const write = (text: string) =>
			parent.run(() => {
				using file = openat2(`${ownProc}/${child.pid}/uid_map`, { flags: ["wronly"] });
				file.write(text);
			});
		expect(refusal(() => write(`${map}`)).code).toBe("EPERM");
		write(`${cut}`);
		expect(parent.run(() => IdMap.of(child, "uids")).equals(map)).toBe(true);
	},
);

test("processes that have ended are ESRCH", async () => {
	const child = spawn("true");
	const { pid = 0 } = child;
	await once(child, "exit");
	expect(refusal(() => IdMap.of(pid, "uids")).code).toBe("ESRCH");
	const task = await Task.clone();
	await task[Symbol.asyncDispose]();
	expect(refusal(() => IdMap.of(task, "uids")).code).toBe("ESRCH");
	expect(refusal(() => IdMap.of(task.process, "uids")).code).toBe("ESRCH");
});

test("a process of another pid namespace is found by its task", async () => {
	await using task = await Task.clone({ namespaces: ["user", "pid"], idMap: "root" });
	expect(IdMap.of(task, "uids").mappings).toEqual([line(0, uid)]);
});

test("arguments are checked before any call", async () => {
	const rows: [unknown, unknown, string][] = [
		[undefined, "uids", "ERR_INVALID_ARG_TYPE"],
		["1", "uids", "ERR_INVALID_ARG_TYPE"],
		[0, "uids", "ERR_OUT_OF_RANGE"],
		[-1, "uids", "ERR_OUT_OF_RANGE"],
		[process.pid, "uid", "ERR_INVALID_ARG_VALUE"],
		[process.pid, undefined, "ERR_INVALID_ARG_VALUE"],
		[process.pid, "__proto__", "ERR_INVALID_ARG_VALUE"],
	];
	for (const [of, ids, code] of rows) expect(refusal(() => IdMap.of(of as never, ids as never)).code).toBe(code);
	using file = openat2("/proc/self/status");
	expect(refusal(() => IdMap.of(file, "uids")).code).toBe("ENOTTY");
	neverOpen((fd) => expect(refusal(() => IdMap.of(fd, "uids")).code).toBeDefined());
	await using task = await Task.clone();
	await expect(task.batch(() => IdMap.of(task, "uids"))).rejects.toMatchObject({ code: "ERR_NEARFAR_BATCH" });
	expect(refusal(() => task.run(() => IdMap.of(file, "uids"))).code).toBe("ERR_NEARFAR_FD_TABLE_MISMATCH");
});

needs("/proc", "root").test("the kernel takes 340 lines of 4095 bytes, and refuses one byte more", async () => {
	const make = (longer: number) =>
		new IdMap(Array.from({ length: 340 }, (_, i) => [i * 2, (i < longer ? 100_000 : 10_000) + i * 2, 1] as const));
	const longer = 4095 - `${make(0)}`.length;
	const gids = [line(0, 0)];
	await using task = await Task.clone({ namespaces: ["user"], idMap: { uids: make(longer), gids } });
	expect(`${make(longer)}`).toHaveLength(4095);
	expect(IdMap.of(task, "uids")).toEqual(make(longer));
	const refused = Task.clone({ namespaces: ["user"], idMap: { uids: make(longer + 1), gids } });
	await expect(refused).rejects.toMatchObject({ code: "EINVAL", syscall: "write" });
});
