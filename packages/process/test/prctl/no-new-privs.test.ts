import { readFileSync } from "node:fs";
import { BatchError, Task } from "@nearfar/core";
import { expect, test } from "vitest";
import { getNoNewPrivs, MultithreadedError, setNoNewPrivs } from "../../src/index.ts";
import { prctl } from "./raw.ts";

const PR_SET_NO_NEW_PRIVS = 38;
const PR_GET_NO_NEW_PRIVS = 39;

test.each<[string, number, ...number[]]>([
	["PRC-02 0 cannot be set", PR_SET_NO_NEW_PRIVS, 0],
	["PRC-02 a third argument is refused", PR_SET_NO_NEW_PRIVS, 1, 1],
	["PRC-02 reading takes no argument", PR_GET_NO_NEW_PRIVS, 1],
])("%s: EINVAL", async (_, option, ...args) => {
	await using task = await Task.clone();
	expect(() => prctl(task, option, ...args)).toThrow(expect.objectContaining({ code: "EINVAL" }));
	expect(task.run(getNoNewPrivs)).toBe(seen("self"));
});

test("PRC-03 it stays over clone and exec, and cannot be undone", async () => {
	await using task = await Task.clone();
	task.run(setNoNewPrivs);
	expect([task.run(getNoNewPrivs), seen(task.pid)]).toEqual([true, true]);
	expect(() => prctl(task, PR_SET_NO_NEW_PRIVS, 0)).toThrow(expect.objectContaining({ code: "EINVAL" }));
	await using clone = await task.clone();
	expect([clone.run(getNoNewPrivs), seen(clone.pid)]).toEqual([true, true]);
	await using child = clone.exec("sleep", ["sleep", "60"]);
	expect(seen(child.pid)).toBe(true);
});

test("in a batch it is collected, and cannot be asked for", async () => {
	await using task = await Task.clone();
	await task.batch(setNoNewPrivs);
	expect(seen(task.pid)).toBe(true);
	await expect(task.batch(getNoNewPrivs)).rejects.toThrow(BatchError);
});

test("near it is refused, and nothing changes", () => {
	const before = seen("self");
	expect(() => setNoNewPrivs()).toThrow(MultithreadedError);
	expect([getNoNewPrivs(), seen("self")]).toEqual([before, before]);
});

test("in a task the option for every thread of Node changes nothing", async () => {
	await using task = await Task.clone();
	const before = seen("self");
	task.run(() => setNoNewPrivs({ process: true }));
	expect([seen(task.pid), seen("self")]).toEqual([true, before]);
	await using other = await Task.clone();
	await other.batch(() => setNoNewPrivs({ process: true }));
	expect(seen(other.pid)).toBe(true);
});

test("in a batch of this process the option for every thread is refused", async () => {
	await expect(Task.near.batch(() => setNoNewPrivs({ process: true }))).rejects.toThrow(BatchError);
});

test.each([
	[{ process: 1 }, "ERR_INVALID_ARG_TYPE"],
	[{ proces: true }, "ERR_INVALID_ARG_VALUE"],
])("options %o reach no kernel", async (options, code) => {
	await using task = await Task.clone();
	const refused = expect.objectContaining({ code });
	expect(() => setNoNewPrivs(options as { process?: boolean })).toThrow(refused);
	expect(() => task.run(() => setNoNewPrivs(options as { process?: boolean }))).toThrow(refused);
	expect(seen(task.pid)).toBe(seen("self"));
});

function seen(pid: number | "self"): boolean {
	return /^NoNewPrivs:\t1$/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
}
