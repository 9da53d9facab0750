import { readFileSync } from "node:fs";
import { native } from "@nearfar/core/internal";
import { describe, expect, test, vi } from "vitest";
import { cloneUninspected } from "../../../../test/inspectable.ts";
import { needs } from "../../../../test/needs.ts";
import { children } from "../../../../test/processes.ts";
import { reason } from "../../../../test/reason.ts";
import { forbid } from "../../../../test/seccomp.ts";
import { type IdMaps, Task } from "../../src/index.ts";

const CAP_SETGID = 6n;
const [uid = 0, gid = 0] = [process.getuid?.(), process.getgid?.()];
const map = (pid: number, which: string) =>
	readFileSync(`/proc/${pid}/${which}_map`, "utf8").trim().split(/\s+/).map(Number);

describe("idMap", () => {
	test.each([
		["identity by default", undefined, [uid, uid, 1], [gid, gid, 1]],
		["identity", "identity", [uid, uid, 1], [gid, gid, 1]],
		["root", "root", [0, uid, 1], [0, gid, 1]],
		["none", "none", [0], [0]],
	] as const)("%s", async (_, idMap, uids, gids) => {
		await using task = await Task.clone({ namespaces: ["user"], ...(idMap && { idMap }) });
		// An empty map reads as one empty field.
		expect([map(task.pid, "uid"), map(task.pid, "gid")]).toEqual([uids, gids]);
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

	test("one's own ids leave setgroups(2) to a process with CAP_SETGID, and deny it otherwise", async () => {
		const idMap: IdMaps = { uids: [one(0, uid)], gids: [one(0, gid)] };
		await using task = await Task.clone({ namespaces: ["user", "pid"], idMap });
		const capabilities = BigInt(`0x${/CapEff:\s*(\w+)/.exec(readFileSync("/proc/self/status", "utf8"))?.[1]}`);
		const setgroups = readFileSync(`/proc/${task.pid}/setgroups`, "utf8").trim();
		expect(setgroups).toBe(capabilities & (1n << CAP_SETGID) ? "allow" : "deny");
		expect([map(task.pid, "uid"), map(task.pid, "gid")]).toEqual([
			[0, uid, 1],
			[0, gid, 1],
		]);
	});

	test("one's own ids need no message after the clone", async () => {
		const enter = vi.spyOn(native(), "enter");
		const idMap: IdMaps = { uids: [one(5, uid)], gids: [one(6, gid)] };
		await using task = await cloneUninspected({ namespaces: ["user"], idMap });
		expect(enter.mock.calls.filter(([id]) => id !== 0)).toEqual([]);
		enter.mockRestore();
		expect(map(task.pid, "uid")).toEqual([5, uid, 1]);
	});

	test("ranges of a child of a task are in terms of that task's user namespace", async () => {
		await using task = await Task.clone({ namespaces: ["user", "pid"], idMap: "root" });
		const idMap: IdMaps = { uids: [one(7, 0)], gids: [one(8, 0)] };
		await using inner = await task.clone({ namespaces: ["user"], idMap });
		expect(inner.syscall(process.arch === "x64" ? 102 : 174)).toBe(7n);
	});

	needs("root").test("ranges of many ids", async () => {
		const idMap: IdMaps = { uids: [one(0, 0, 10), one(100, 200_000, 65_536)], gids: [one(0, 300_000, 2 ** 20)] };
		await using task = await Task.clone({ namespaces: ["user"], idMap });
		expect(map(task.pid, "uid")).toEqual([0, 0, 10, 100, 200_000, 65_536]);
		expect(map(task.pid, "gid")).toEqual([0, 300_000, 2 ** 20]);
	});

	test("ranges that overlap are refused before anything happens", async () => {
		const before = children(process.pid);
		const uids = [one(0, uid), one(0, uid)];
		const clone = () => Task.clone({ namespaces: ["user"], idMap: { uids, gids: [one(0, gid)] } });
		expect(await reason(clone)).toMatchObject({ code: "ERR_OUT_OF_RANGE" });
		expect(children(process.pid)).toEqual(before);
	});

	test("a map without ids is refused before anything happens", async () => {
		const clone = () => Task.clone({ namespaces: ["user"], idMap: { uids: [], gids: [one(0, gid)] } });
		expect(await reason(clone)).toMatchObject({ name: "TypeError", code: "ERR_INVALID_ARG_VALUE" });
	});

	needs("an ordinary user").test("ranges of the ids of others are EPERM, and nothing is left", async () => {
		const before = children(process.pid);
		const idMap: IdMaps = { uids: [one(0, 0)], gids: [one(0, gid)], helper: "never" };
		const clone = () => Task.clone({ namespaces: ["user"], idMap });
		expect(await reason(clone)).toMatchObject({ code: "EPERM", syscall: "write" });
		expect(children(process.pid)).toEqual(before);
	});

	test.each(["identity", "root"] as const)("a map that a task may not write itself is named: %s", async (idMap) => {
		await using task = await Task.clone();
		forbid(task, process.arch === "x64" ? 1 : 64, 1); // EPERM for write(2)
		const error = await reason(() => task.clone({ namespaces: ["user"], idMap }));
		expect(error).toMatchObject({ code: "EPERM", syscall: "write", path: "/proc/self/setgroups" });
	});

	test("more than 340 ranges are refused before anything happens", async () => {
		const many = Array.from({ length: 341 }, (_, index) => one(2 * index, index));
		const clone = () => Task.clone({ namespaces: ["user"], idMap: { uids: many, gids: many } });
		expect(await reason(clone)).toMatchObject({ code: "ERR_OUT_OF_RANGE" });
	});
});
