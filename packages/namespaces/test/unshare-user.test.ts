import { readFileSync, readlinkSync } from "node:fs";
import { IdMap, MultithreadedError, Task, TaskGoneError } from "@nearfar/core";
import { sethostname, unshare, unshareUser } from "@nearfar/namespaces";
import { describe, expect, test } from "vitest";
import { needs } from "../../../test/needs.ts";
import { children } from "../../../test/processes.ts";
import { reason } from "../../../test/reason.ts";
import { hostnameIn, namespaceOf } from "./tasks.ts";

const [uid = 0, gid = 0] = [process.geteuid?.(), process.getegid?.()];
const map = (task: Task, which: string) =>
	readFileSync(`/proc/${task.pid}/${which}_map`, "utf8").trim().split(/\s+/).map(Number);

describe("unshareUser", () => {
	test.each([
		["identity by default", undefined, uid, gid],
		["root", "root", 0, 0],
	] as const)("%s", async (_, idMap, user, group) => {
		await using task = await Task.clone();
		await unshareUser(task, { ...(idMap && { idMap }), namespaces: ["uts"] });
		expect([map(task, "uid"), map(task, "gid")]).toEqual([
			[user, uid, 1],
			[group, gid, 1],
		]);
		task.run(() => sethostname("inside"));
		expect(hostnameIn(task)).toBe("inside");
		expect(children(task.pid)).toEqual([]);
	});

	test("none leaves the maps unwritten", async () => {
		await using task = await Task.clone();
		await unshareUser(task, { idMap: "none" });
		expect(map(task, "uid")).toEqual([0]);
	});

	test("img #56: the writer stays in the user namespace from before, also for a task in a user namespace of its own", async () => {
		await using task = await Task.clone({ namespaces: ["user"], idMap: "root" });
		const before = namespaceOf(task, "user");
		await unshareUser(task, { idMap: { uids: new IdMap([[7, 0, 1]]), gids: new IdMap([[8, 0, 1]]) } });
		expect(namespaceOf(task, "user")).not.toBe(before);
		expect([map(task, "uid"), map(task, "gid")]).toEqual([
			[7, uid, 1],
			[8, gid, 1],
		]);
	});

	test("a map may be an iterable that can be read once", async () => {
		await using task = await Task.clone();
		const once = (function* () {
			yield { inside: 3, outside: uid, count: 1 };
		})();
		await unshareUser(task, { idMap: { uids: once } });
		expect(map(task, "uid")).toEqual([3, uid, 1]);
	});

	test("a refused unshare leaves the task as it was, without a writer", async () => {
		await using outer = await Task.clone({ namespaces: ["user"], idMap: "none" });
		// A task whose ids are not mapped can make no user namespace.
		const before = namespaceOf(outer, "user");
		expect(await reason(() => unshareUser(outer, { idMap: { uids: new IdMap([[0, 0, 1]]) } }))).toMatchObject({
			code: "EPERM",
			syscall: "unshare",
		});
		expect(namespaceOf(outer, "user")).toBe(before);
		expect(children(outer.pid)).toEqual([]);
	});

	test("a refused map names its file, and the hint says what the task has become", async () => {
		await using task = await Task.clone();
		const uids = new IdMap([[0, 4_000_000_000, 1]]);
		await using inner = await Task.clone({ namespaces: ["user"], idMap: "root" });
		const error = await reason(() => unshareUser(inner, { idMap: { uids, helper: "never" } }));
		expect(error).toMatchObject({
			code: "EPERM",
			syscall: "write",
			path: `/proc/${inner.pid}/uid_map`,
			hint: expect.stringContaining("dispose of the task"),
		});
		expect(task.state).toBe("live");
		expect(children(inner.pid)).toEqual([]);
	});

	test("near and in a thread it is refused", async () => {
		expect(await reason(() => unshareUser(Task.near as unknown as Task))).toBeInstanceOf(MultithreadedError);
	});

	needs("root").test("a thread of Node is refused", async () => {
		await using thread = await Task.thread();
		const error = await reason(() => unshareUser(thread as unknown as Task));
		expect(error).toBeInstanceOf(MultithreadedError);
		expect(error).toMatchObject({ code: "ERR_NEARFAR_THREAD" });
	});

	test("a task that shares its memory is EINVAL", async () => {
		await using task = await Task.clone();
		await using twin = await task.clone({ share: ["vm"] });
		expect(await reason(() => unshareUser(twin))).toMatchObject({ code: "EINVAL", syscall: "unshare" });
		expect(readlinkSync(`/proc/${twin.pid}/ns/user`)).toBe(readlinkSync("/proc/self/ns/user"));
	});

	test("a task that has executed a program, or has ended, is gone", async () => {
		const task = await Task.clone();
		await using child = task.exec("sleep", ["sleep", "1000"]);
		expect(await reason(() => unshareUser(task))).toBeInstanceOf(TaskGoneError);
		child.kill("SIGKILL");
		const ended = await Task.clone();
		await ended.exit();
		expect(await reason(() => unshareUser(ended))).toBeInstanceOf(TaskGoneError);
	});

	test("a pid namespace without a process is not given to the writer", async () => {
		await using task = await Task.clone({ namespaces: ["user"], idMap: "root" });
		task.run(() => unshare(["pid"]));
		expect(await reason(() => unshareUser(task))).toMatchObject({ code: "EINVAL", syscall: "unshare" });
		await using first = await task.clone();
		expect(first.state).toBe("live");
	});

	test("pid namespaces made along with it are usable", async () => {
		await using task = await Task.clone();
		await unshareUser(task, { idMap: "root", namespaces: ["pid", "mnt"] });
		await using first = await task.clone();
		expect(readFileSync(`/proc/${first.pid}/status`, "utf8")).toMatch(/^NSpid:\t\d+\t1$/m);
	});

	test.each([
		["a map without ids", { idMap: { uids: [] } }, "ERR_INVALID_ARG_VALUE"],
		["an unknown name", { idMap: "all" }, "ERR_INVALID_ARG_VALUE"],
		["an unknown kind", { namespaces: ["users"] }, "ERR_INVALID_ARG_VALUE"],
	])("%s is refused before anything happens", async (_, options, code) => {
		await using task = await Task.clone();
		const before = namespaceOf(task, "user");
		expect(await reason(() => unshareUser(task, options as never))).toMatchObject({ code });
		expect(namespaceOf(task, "user")).toBe(before);
	});
});
