import { readFileSync } from "node:fs";
import { BatchError, MultithreadedError, Process, Task } from "@nearfar/core";
import { expect, test } from "vitest";
import { lastingThreads } from "../../../test/lasting-threads.ts";
import { needs } from "../../../test/needs.ts";
import { becomeOrdinary } from "../../../test/ordinary.ts";
import { getpriority, schedSetaffinity, setpriority } from "../src/index.ts";

const NOBODY = 2 ** 31 - 1;
const SETRESUID = process.arch === "arm64" ? 147 : 117;

/** Returns the nice value that /proc shows. */
function nice(pid: number): number {
	return Number(readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ")[16]);
}

needs("a nice value below 15").test("near, far and from a batch a process becomes nicer", async () => {
	await using task = await Task.clone();
	const before = nice(task.pid);
	expect([getpriority("process", task.pid), task.run(() => getpriority())]).toEqual([before, before]);
	setpriority("process", task.pid, before + 1);
	expect(nice(task.pid)).toBe(before + 1);
	task.run(() => setpriority("process", 0, before + 2));
	expect(nice(task.pid)).toBe(before + 2);
	await task.batch(() => setpriority("process", 0, before + 3));
	expect([nice(task.pid), getpriority("process", task.pid)]).toEqual([before + 3, before + 3]);
	await using sleep = task.exec("sleep", ["sleep", "60"]);
	expect(nice(sleep.pid)).toBe(before + 3);
});

needs("a nice value below 15").test(
	"a group changes as a whole, and the lowest value in it is what is read",
	async () => {
		await using leader = await Task.clone();
		await using member = await Task.clone();
		leader.process.setpgid();
		member.process.setpgid(leader.process);
		setpriority("group", leader.pid, 17);
		expect([nice(leader.pid), nice(member.pid)]).toEqual([17, 17]);
		member.run(() => setpriority("process", 0, 18));
		expect(member.run(() => getpriority("group", 0))).toBe(17);
		member.run(() => setpriority("group", 0, 19));
		expect([nice(leader.pid), nice(member.pid), nice(process.pid)]).toEqual([19, 19, getpriority()]);
	},
);

needs("root").test("all processes of a user change, and no others", async () => {
	const uid = 0xffff_0000;
	await using task = await Task.clone();
	await using other = await Task.clone();
	const before = nice(other.pid);
	task.syscall(SETRESUID, uid, uid, uid);
	expect(getpriority("user", uid)).toBe(before);
	setpriority("user", uid, 15);
	expect([nice(task.pid), nice(other.pid), getpriority("user", uid)]).toEqual([15, before, 15]);
	task.run(() => setpriority("user", 0, 16));
	expect([nice(task.pid), nice(other.pid)]).toEqual([16, before]);
});

needs("a nice value below 15").test(
	"nor may a task change one thread of Node, or who calls it by another name",
	async () => {
		await using task = await Task.clone();
		const before = getpriority();
		const refused = expect.objectContaining({ name: "MultithreadedError" });
		expect(() => Task.near.process.setpriority(19)).toThrow(refused);
		expect(() => new Process(process.pid).setpriority(19)).toThrow(refused);
		for (const id of lastingThreads()) {
			expect(() => task.run(() => setpriority("process", id, 19))).toThrow(refused);
			expect(() => task.run(() => schedSetaffinity([0], id))).toThrow(refused);
		}
		expect(() => task.run(() => Task.near.process.setpriority(19))).toThrow(refused);
		await expect(task.batch(() => setpriority("process", process.pid, 19))).rejects.toThrow(refused);
		expect([nice(process.pid), getpriority()]).toEqual([before, before]);
		task.process.setpriority(before + 1); // a process that is not ours may be refused, and this one is ours
		await using inner = await Task.clone({ namespaces: ["user", "pid"] });
		inner.run(() => setpriority("process", 1, before + 1));
		expect([nice(task.pid), nice(inner.pid)]).toEqual([before + 1, before + 1]);
	},
);

test("near, one thread of Node is refused; its nice values can be read", async () => {
	const before = getpriority();
	for (const who of [0, process.pid]) expect(() => setpriority("process", who, 19)).toThrow(MultithreadedError);
	await expect(Task.near.batch(() => setpriority("process", 0, 19))).rejects.toThrow(MultithreadedError);
	expect([getpriority(), getpriority("process", process.pid), nice(process.pid)]).toEqual([before, before, before]);
});

test("nobody there: ESRCH", async () => {
	await using task = await Task.clone();
	for (const which of ["process", "group", "user"] as const) {
		expect(() => getpriority(which, NOBODY)).toThrow(
			expect.objectContaining({ code: "ESRCH", syscall: "getpriority" }),
		);
		const error = expect.objectContaining({ code: "ESRCH", syscall: "setpriority" });
		expect(() => task.run(() => setpriority(which, NOBODY, 19))).toThrow(error);
	}
});

needs("another user as the owner of process 1", "a nice value below 10").test(
	"without a privilege: EACCES to come first, EPERM for another user's",
	async () => {
		await using task = await Task.clone();
		becomeOrdinary(task);
		await task.batch(() => setpriority("process", 0, 10));
		expect(() => task.run(() => setpriority("process", 0, -20))).toThrow(
			expect.objectContaining({ code: "EACCES", syscall: "setpriority" }),
		);
		expect(() => task.run(() => setpriority("process", 1, 19))).toThrow(
			expect.objectContaining({ code: "EPERM", syscall: "setpriority" }),
		);
		expect(nice(task.pid)).toBe(10);
	},
);

test.each<[string, () => unknown, string]>([
	["nice 20", () => setpriority("process", 0, 20), "ERR_OUT_OF_RANGE"],
	["nice -21", () => setpriority("process", 0, -21), "ERR_OUT_OF_RANGE"],
	["an unknown kind", () => getpriority("thread" as "process"), "ERR_INVALID_ARG_VALUE"],
	["a negative pid", () => getpriority("process", -1), "ERR_OUT_OF_RANGE"],
	["the user that is none", () => getpriority("user", 2 ** 32 - 1), "ERR_OUT_OF_RANGE"],
])("%s reaches no kernel", (_, call, code) => {
	expect(call).toThrow(expect.objectContaining({ code }));
});

test("a batch has no nice value to return yet", async () => {
	await using task = await Task.clone();
	await expect(task.batch(() => getpriority())).rejects.toThrow(BatchError);
});
