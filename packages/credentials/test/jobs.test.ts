import { BatchError, type ChildProcess, NamespaceMismatchError, Task } from "@nearfar/core";
import { expect, test } from "vitest";
import { refused } from "../../../test/refusal.ts";
import { job } from "../../../test/status.ts";
import { getpgid, getpgrp, getsid, setpgid, setsid } from "../src/index.ts";

const NOBODY = 2 ** 31 - 1;

test("near, group and session are those of /proc", () => {
	const { group, session } = job("self");
	expect([getpgrp(), getpgid(), getpgid(process.pid), getsid(), getsid(process.pid)]).toEqual([
		...[group, group, group],
		...[session, session],
	]);
});

test("a task starts in the group and session of this process", async () => {
	await using task = await Task.clone();
	const { group, session } = job("self");
	expect(task.run(() => [getpgrp(), getsid()])).toEqual([group, session]);
	expect([getpgid(task.pid), getsid(task.pid)]).toEqual([group, session]);
});

test("nobody has the pid: ESRCH", async () => {
	await using task = await Task.clone();
	expect(() => getpgid(NOBODY)).toThrow(refused("ESRCH", "getpgid"));
	expect(() => getsid(NOBODY)).toThrow(refused("ESRCH", "getsid"));
	expect(() => setpgid(NOBODY, 0)).toThrow(refused("ESRCH", "setpgid"));
	expect(() => task.run(() => getpgid(NOBODY))).toThrow(refused("ESRCH", "getpgid"));
});

test.each([
	["getpgid(-1)", () => getpgid(-1), "ERR_OUT_OF_RANGE"],
	["getsid(0.5)", () => getsid(0.5), "ERR_OUT_OF_RANGE"],
	["setpgid(0, -1)", () => setpgid(0, -1), "ERR_OUT_OF_RANGE"],
	['setpgid("0", 0)', () => setpgid("0" as unknown as number, 0), "ERR_INVALID_ARG_TYPE"],
	["setpgid(0, {})", () => setpgid(0, {} as ChildProcess), "ERR_INVALID_ARG_TYPE"],
])("%s is refused before the kernel is asked", (_, call, code) => {
	expect(call).toThrow(expect.objectContaining({ code }));
});

test("a task moves itself, and is moved, into groups", async () => {
	await using leader = await Task.clone();
	await using member = await Task.clone();
	leader.run(() => setpgid(0, 0));
	setpgid(member.process, leader.process);
	expect([job(leader.pid).group, job(member.pid).group]).toEqual([leader.pid, leader.pid]);
	setpgid(member.pid, 0);
	expect(job(member.pid).group).toBe(member.pid);
	await member.batch(() => setpgid(0, leader.pid));
	expect(getpgid(member.pid)).toBe(leader.pid);
	// setpgid has to use the child's group: the child's pid is no group any more.
	await using third = await Task.clone();
	setpgid(third.process, member.process);
	expect(job(third.pid).group).toBe(leader.pid);
});

test("setpgid: EACCES after exec, ESRCH for who is no child, EPERM for a session leader and a group that is not", async () => {
	await using task = await Task.clone();
	await using sleep = (await Task.clone()).exec("sleep", ["sleep", "60"]);
	expect(() => setpgid(sleep, 0)).toThrow(refused("EACCES", "setpgid"));
	expect(() => task.run(() => setpgid(sleep.pid, 0))).toThrow(refused("ESRCH", "setpgid"));
	expect(() => setpgid(task.process, NOBODY)).toThrow(refused("EPERM", "setpgid"));
	task.run(setsid);
	expect(() => task.run(() => setpgid(0, 0))).toThrow(refused("EPERM", "setpgid"));
	expect(() => setpgid(task.process, 0)).toThrow(refused("EPERM", "setpgid"));
});

test("setpgid of a child that has ended, or cannot be named, is refused before the kernel is asked", async () => {
	const ended = await Task.clone();
	await ended.exit();
	expect(() => setpgid(ended.process, 0)).toThrow(expect.objectContaining({ code: "ERR_NEARFAR_CHILD_DEAD" }));
	expect(() => setpgid(0, ended.process)).toThrow(expect.objectContaining({ code: "ERR_NEARFAR_CHILD_DEAD" }));
	await using inside = await Task.clone({ namespaces: ["user", "pid"] });
	await using child = await Task.clone();
	expect(() => inside.run(() => setpgid(child.process, 0))).toThrow(NamespaceMismatchError);
	expect(() => inside.run(() => setpgid(0, child.process))).toThrow(NamespaceMismatchError);
});

test("setsid makes a session, once", async () => {
	await using task = await Task.clone();
	expect(task.run(setsid)).toBe(task.pid);
	expect(job(task.pid)).toEqual({ group: task.pid, session: task.pid });
	expect(() => task.run(setsid)).toThrow(refused("EPERM", "setsid"));
});

test("setsid in a batch makes a session, and returns no value", async () => {
	await using task = await Task.clone();
	expect(await task.batch(() => [setsid()])).toEqual([undefined]);
	expect(job(task.pid)).toEqual({ group: task.pid, session: task.pid });
	await expect(task.batch(setsid)).rejects.toMatchObject({ code: "EPERM", syscall: "setsid", step: 0 });
});

test.each([getpgid, getpgrp, getsid])("%o returns a value, which a batch has not", async (call) => {
	await using task = await Task.clone();
	await expect(task.batch(() => call())).rejects.toThrow(BatchError);
});
