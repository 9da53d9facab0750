import { Task } from "@nearfar/core";
import { expect } from "vitest";
import { needs } from "../../../test/needs.ts";
import { killFrozen } from "../src/kill.ts";
import { openAt } from "../src/place.ts";
import { comet, inGroup, start } from "./group.ts";

const { test } = needs("a cgroup in which this user can make groups");

test("kills what is in the group and below, and resolves when populated is false", () =>
	inGroup(async (group) => {
		await using inner = group.create("inner");
		const children = [await start(group, "sleep", "1000"), await start(inner, "sleep", "1000")];
		await group.kill();
		expect(group.populated).toBe(false);
		for (const child of children) expect(await child.exited).toMatchObject({ signal: "SIGKILL" });
	}));

test("of an empty group resolves at once", () => inGroup((group) => group.kill()));

test("reaches frozen processes, and the group stays frozen", () =>
	inGroup(async (group) => {
		const child = await start(group, "sleep", "1000");
		await group.freeze();
		await group.kill();
		expect(await child.exited).toMatchObject({ signal: "SIGKILL" });
		expect(group.read("cgroup.freeze")).toBe("1\n");
	}));

test("ends processes that fork faster than they can be listed", () =>
	inGroup(async (group) => {
		const children = await Promise.all(Array.from({ length: 5 }, () => start(group, ...comet)));
		await expect.poll(() => group.pids.length).toBeGreaterThan(5);
		await group.kill();
		expect(group.pids).toEqual([]);
		await Promise.all(children.map(({ exited }) => exited));
	}));

test("a zombie is in no group", () =>
	inGroup(async (group) => {
		// The task reaps nothing, and so its child stays a zombie.
		await using parent = await Task.clone();
		const child = await parent.clone({ cgroup: group.fd });
		await group.kill();
		expect(group.populated).toBe(false);
		await group.remove();
		await child.process.exited;
	}));

test("kills whichever task is current, and not in a batch", () =>
	inGroup(async (group) => {
		await using task = await Task.clone({ namespaces: process.geteuid?.() === 0 ? ["mnt"] : [] });
		const child = await start(group, "sleep", "1000");
		let refused: Promise<unknown> = Promise.resolve();
		await task.batch(() => {
			refused = expect(group.kill()).rejects.toMatchObject({ code: "ERR_NEARFAR_BATCH" });
		});
		await refused;
		let killing = Promise.resolve();
		task.run(() => {
			killing = group.kill();
		});
		await killing;
		expect(await child.exited).toMatchObject({ signal: "SIGKILL" });
	}));

test("without cgroup.kill, as before Linux 5.14, freezes, signals and thaws until none is left", () =>
	inGroup(async (group) => {
		await using inner = group.create("inner");
		const children = [await start(group, ...comet), await start(inner, ...comet), await start(inner, "sleep", "1000")];
		const same = openAt(group.fd);
		using _ = same.fd;
		while (group.populated) await killFrozen(same);
		for (const child of children) expect(await child.exited).toMatchObject({ signal: "SIGKILL" });
		expect(group.read("cgroup.freeze")).toBe("0\n");
	}));

test("a group that was killed takes new tasks, which live", () =>
	inGroup(async (group) => {
		for (let turn = 0; turn < 3; turn++) {
			const child = await start(group, ...comet);
			await group.kill();
			expect(await child.exited).toMatchObject({ signal: "SIGKILL" });
		}
		await using task = await group.clone();
		const answer = await task.clone();
		expect([...group.pids].sort()).toEqual([task.pid, answer.pid].sort());
		await answer.exit();
	}));
