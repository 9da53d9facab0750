import { Process, Task } from "@nearfar/core";
import { expect } from "vitest";
import { needs } from "../../../test/needs.ts";
import { reason } from "../../../test/reason.ts";
import { inGroup, start } from "./group.ts";

const { test } = needs("a cgroup in which this user can make groups");

test("add moves a process, given by its number or as a Process", () =>
	inGroup(async (group) => {
		await using inner = group.create("inner");
		await using task = await Task.clone();
		await group.add(task.process);
		expect(group.pids).toEqual([task.pid]);
		await inner.add(task.pid);
		expect(inner.pids).toEqual([task.pid]);
		await group.add(new Process(task.pid));
		expect(group.pids).toEqual([task.pid]);
		await task.exit();
	}));

test("clone begins in the group, with the options of Task.clone", () =>
	inGroup(async (group) => {
		await using task = await group.clone({ begin: (task) => void task.exec("sleep", ["sleep", "1000"]) });
		expect(group.pids).toEqual([task.pid]);
	}));

test("add refuses what is no process", () =>
	inGroup(async (group) => {
		const ended = await start(group, "true");
		const { pid } = ended;
		await ended.exited;
		expect(await reason(() => group.add(pid))).toMatchObject({ code: "ESRCH" });
		expect(await reason(() => group.add(ended))).toMatchObject({ code: "ERR_NEARFAR_CHILD_DEAD" });
		expect(await reason(() => group.add("1" as never))).toBeInstanceOf(TypeError);
		for (const pid of [0, -1, 0.5]) expect(await reason(() => group.add(pid))).toBeInstanceOf(RangeError);
		// A thread of the kernel.
		if (process.geteuid?.() === 0) expect(await reason(() => group.add(2))).toMatchObject({ code: expect.any(String) });
	}));

test("not in a batch", () =>
	inGroup(async (group) => {
		await using task = await Task.clone();
		const refused: Promise<unknown>[] = [];
		await task.batch(() => {
			for (const use of [() => group.add(task.pid), () => group.clone()]) {
				refused.push(expect(use()).rejects.toMatchObject({ code: "ERR_NEARFAR_BATCH" }));
			}
		});
		await Promise.all(refused);
	}));
