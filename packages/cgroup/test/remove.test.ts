import { mkdirSync, readdirSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Task } from "@nearfar/core";
import { describe, expect } from "vitest";
import { runFixture } from "../../../test/fixture.ts";
import { groupsPlace, needs } from "../../../test/needs.ts";
import { reason } from "../../../test/reason.ts";
import { Cgroup } from "../src/index.ts";
import { comet, inGroup, start } from "./group.ts";
import { Unkillable } from "./unkillable.ts";

const { test } = needs("a cgroup in which this user can make groups");

/** The path of a group, for node:fs. */
const pathOf = (group: Cgroup) => join(`${groupsPlace}`, group.name);

test("CG-05: waits for the last of 20 processes", () =>
	inGroup(async (group) => {
		const children = await Promise.all(Array.from({ length: 20 }, () => start(group, "sleep", "1000")));
		await group.remove();
		expect(readdirSync(`${groupsPlace}`)).not.toContain(group.name);
		for (const child of children) expect(await child.exited).toMatchObject({ signal: "SIGKILL" });
	}));

test("CG-07: removes groups below, the innermost first, whatever their names and their processes", () =>
	inGroup(async (group) => {
		const names = Array.from({ length: 60 }, () => "deep");
		mkdirSync(join(pathOf(group), ...names), { recursive: true });
		mkdirSync(Buffer.concat([Buffer.from(`${pathOf(group)}/`), Buffer.from([0xff, 0xfe])]));
		for (let each = 0; each < 20; each++) mkdirSync(join(pathOf(group), `wide-${each}`));
		await using inner = Cgroup.open(join(pathOf(group), ...names));
		const child = await start(inner, ...comet);
		await group.remove();
		expect(inner.removed).toBe(true);
		expect(await child.exited).toMatchObject({ signal: "SIGKILL" });
	}));

const withFuse = needs("a cgroup in which this user can make groups", "root", "the file system fuse");

withFuse.test("CG-06: gives up after 5 s with the pids of a process in state D, and removes the group later", () =>
	inGroup(async (group) => {
		const stuck = await Unkillable.start(group);
		const [pid = 0] = group.pids;
		try {
			const error = await reason(() => group.remove());
			expect(error).toMatchObject({ code: "ERR_NEARFAR_CGROUP", reason: "busy", pids: [pid] });
			expect(group.removed).toBe(false);
		} finally {
			await stuck[Symbol.asyncDispose]();
		}
		await group.remove();
		expect(group.removed).toBe(true);
	}),
);

describe("a group that is gone", () => {
	test("is no error for remove, and one for everything else", () =>
		inGroup(async (group) => {
			rmdirSync(pathOf(group));
			expect(group.removed).toBe(true);
			const removed = { code: "ERR_NEARFAR_CGROUP", reason: "removed" };
			const check = async () => {
				for (const use of uses(group)) expect(await reason(use), `${use}`).toMatchObject(removed);
			};
			await check();
			await group.remove();
			await group.remove();
			await check();
			expect(() => group.fd).toThrow(expect.objectContaining(removed));
			expect(group.removed).toBe(true);
		}));

	test("in the middle of remove is no error", () =>
		inGroup(async (group) => {
			for (let each = 0; each < 50; each++) mkdirSync(join(pathOf(group), `${each}`));
			const removing = group.remove();
			for (let each = 49; each >= 0; each--) removeIfThere(join(pathOf(group), `${each}`));
			removeIfThere(pathOf(group));
			await removing;
			expect(group.removed).toBe(true);
		}));

	test("may have a successor of the same name, which stays", () =>
		inGroup(async (group) => {
			const path = pathOf(group);
			rmdirSync(path);
			mkdirSync(path);
			await group.remove();
			rmdirSync(path);
		}));
});

function uses(group: Cgroup): (() => unknown)[] {
	return [
		() => group.pids,
		() => group.populated,
		() => group.frozen,
		() => group.read("cgroup.procs"),
		() => group.add(process.ppid),
		() => group.clone(),
		() => group.freeze(),
		() => group.thaw(),
		() => group.kill(),
		async () => group.events()[Symbol.asyncIterator]().next(),
		async () => group.pressure("cpu", { stall: 1, window: 2000 })[Symbol.asyncIterator]().next(),
	];
}

function removeIfThere(path: string): void {
	try {
		rmdirSync(path);
	} catch (error) {
		if (!["ENOENT", "EBUSY"].includes((error as NodeJS.ErrnoException).code ?? "")) throw error;
	}
}

test("several removes at once are one", () =>
	inGroup(async (group) => {
		const child = await start(group, "sleep", "1000");
		await Promise.all([group.remove(), group.remove(), group[Symbol.asyncDispose]()]);
		await child.exited;
	}));

test("a frozen group is removed, and so is one below a frozen one", () =>
	inGroup(async (group) => {
		await using inner = group.create("inner");
		const child = await start(inner, "sleep", "1000");
		await group.freeze();
		await inner.remove();
		expect(await child.exited).toMatchObject({ signal: "SIGKILL" });
		await group.remove();
	}));

test("a group with threaded groups below is removed", () =>
	inGroup(async (group) => {
		mkdirSync(join(pathOf(group), "threads"));
		writeFileSync(join(pathOf(group), "threads", "cgroup.type"), "threaded");
		const child = await start(group, "sleep", "1000");
		writeFileSync(join(pathOf(group), "threads", "cgroup.threads"), `${child.pid}`);
		expect(group.type).toBe("domain threaded");
		await group.remove();
		expect(await child.exited).toMatchObject({ signal: "SIGKILL" });
	}));

test("what begins in the group meanwhile is killed as well", () =>
	inGroup(async (group) => {
		const children = await Promise.all([start(group, "sleep", "1000"), start(group, "sleep", "1000")]);
		const removing = group.remove();
		const late = await reason(() => group.clone());
		await removing;
		for (const child of children) expect(await child.exited).toMatchObject({ signal: "SIGKILL" });
		if (late) expect(late).toMatchObject({ reason: "removed" });
		expect(group.removed).toBe(true);
	}));

test("the group of this process is refused, and so is one above: nothing is killed", async () => {
	const { report, stderr } = await runFixture("cgroup/own", { args: [`${groupsPlace}`] });
	expect(stderr).toBe("");
	expect(report.reasons).toEqual(Array(6).fill("occupied"));
	await using outer = Cgroup.open(report.outer);
	await outer.remove();
});

test("not in a batch", () =>
	inGroup(async (group) => {
		await using task = await Task.clone();
		let refused: Promise<unknown> = Promise.resolve();
		await task.batch(() => {
			refused = expect(group.remove()).rejects.toMatchObject({ code: "ERR_NEARFAR_BATCH" });
		});
		await refused;
	}));

const ordinary = needs("a cgroup in which this user can make groups", "an ordinary user");

ordinary.test("of a directory whose parent is another user's is EACCES, and kills nothing", async () => {
	await using place = Cgroup.open(`${groupsPlace}`);
	await inGroup(async (group) => {
		const child = await start(group, "sleep", "1000");
		expect(await reason(() => place.remove())).toMatchObject({ code: "EACCES" });
		expect(group.pids).toEqual([child.pid]);
	});
});

test.each(["freeze", "kill", "remove"])("Node killed at each step of %s leaves a group that can be removed", (what) =>
	inGroup(async (group) => {
		for (const turns of [0, 2, 8]) {
			await using inner = group.create(`${turns}`);
			const children = [await start(inner, "sleep", "1000"), await start(inner, ...comet)];
			const path = join(pathOf(group), inner.name);
			expect(await runFixture("cgroup/killed", { args: [path, what, `${turns}`] })).toMatchObject({
				signal: "SIGKILL",
			});
			await inner.remove();
			for (const child of children) expect(await child.exited).toMatchObject({ signal: "SIGKILL" });
		}
	}),
);
