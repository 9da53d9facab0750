import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "vitest";
import { whileUninspected } from "../../../test/inspectable.ts";
import { groupsPlace, needs } from "../../../test/needs.ts";
import { stat } from "../../../test/processes.ts";
import { reason } from "../../../test/reason.ts";
import { inGroup, start } from "./group.ts";
import { Unkillable } from "./unkillable.ts";

const { test } = needs("a cgroup in which this user can make groups");
const busy = { code: "ERR_NEARFAR_CGROUP", reason: "busy" };

test("freeze and thaw resolve when the kernel says so", () =>
	inGroup(async (group) => {
		await Promise.all(Array.from({ length: 5 }, () => start(group, "sleep", "1000")));
		for (let turn = 0; turn < 3; turn++) {
			await group.freeze();
			expect(group.frozen).toBe(true);
			await group.thaw();
			expect(group.frozen).toBe(false);
		}
	}));

test("an empty group and one that is frozen already", () =>
	inGroup(async (group) => {
		await group.freeze();
		await group.freeze();
		expect(group.frozen).toBe(true);
		await group.thaw();
		await group.thaw();
		expect(group.frozen).toBe(false);
	}));

test("a task that is cloned into a frozen group answers after thaw", () =>
	inGroup(async (group) => {
		await group.freeze();
		const cloning = group.clone();
		await using frozen = await whileUninspected(() => group.clone());
		const answering = frozen.batch(() => {});
		await expect.poll(() => group.frozen).toBe(true);
		expect(group.pids).toHaveLength(2);
		await group.thaw();
		await answering;
		await using task = await cloning;
		await task.batch(() => {});
	}));

test("thaw below a frozen group says which one to thaw", () =>
	inGroup(async (group) => {
		await using inner = group.create("inner");
		await group.freeze();
		const error = await reason(() => inner.thaw());
		expect(error).toMatchObject({ ...busy, hint: `thaw ${group.path}` });
		await group.thaw();
		await inner.thaw();
	}));

const withFuse = needs("a cgroup in which this user can make groups", "root", "the file system fuse");

withFuse.test("waits for a process in state D, until the group is thawed meanwhile", () =>
	inGroup(async (group) => {
		await using _ = await Unkillable.start(group);
		const [pid = 0] = group.pids;
		await expect.poll(() => stat(pid)?.state).toMatch(/[SD]/);
		process.kill(pid);
		await expect.poll(() => stat(pid)?.state).toBe("D");
		const freezing = reason(() => group.freeze());
		await expect.poll(() => group.read("cgroup.freeze")).toBe("1\n");
		expect(group.frozen).toBe(false);
		writeFileSync(join(`${groupsPlace}`, group.name, "cgroup.freeze"), "0");
		expect(await freezing).toMatchObject(busy);
	}),
);
