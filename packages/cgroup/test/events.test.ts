import { rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import { Task } from "@nearfar/core";
import { expect } from "vitest";
import { runFixture } from "../../../test/fixture.ts";
import { groupsPlace, needs, openFilesLimit } from "../../../test/needs.ts";
import { reason } from "../../../test/reason.ts";
import type { Cgroup, CgroupEvent } from "../src/index.ts";
import { inGroup, start } from "./group.ts";

const { test } = needs("a cgroup in which this user can make groups");
const empty = { populated: false, frozen: false };

/** Begins a loop, and returns its steps. */
function loopOver(group: Cgroup, signal?: AbortSignal): AsyncIterator<CgroupEvent> {
	return group.events(signal && { signal })[Symbol.asyncIterator]();
}

/** Returns the state of a promise after a few turns of the event loop. */
async function soFar<T>(promise: Promise<T>): Promise<T | undefined> {
	let value: T | undefined;
	promise.then((found) => (value = found)).catch(() => {});
	for (let turn = 0; turn < 50; turn++) await setImmediate();
	return value;
}

test("the first value is the present state, and the next one comes with a change (CG-12)", () =>
	inGroup(async (group) => {
		const loop = loopOver(group);
		expect(await loop.next()).toMatchObject({ value: empty, done: false });
		const next = loop.next();
		// A file of cgroupfs can always be read. Only a change ends the wait.
		expect(await soFar(next)).toBeUndefined();
		const child = await start(group, "sleep", "1000");
		expect(await next).toMatchObject({ value: { populated: true, frozen: false } });
		await group.freeze();
		expect(await loop.next()).toMatchObject({ value: { populated: true, frozen: true } });
		await group.kill();
		await group.thaw();
		await child.exited;
		expect(await loop.next()).toMatchObject({ value: empty });
		await loop.return?.();
	}));

test("CG-13: changes of a busy consumer come as one, and those that were taken back not at all", () =>
	inGroup(async (group) => {
		const loop = loopOver(group);
		await loop.next();
		for (let turn = 0; turn < 5; turn++) {
			const child = await start(group, "true");
			await child.exited;
		}
		const next = loop.next();
		expect(await soFar(next)).toBeUndefined();
		const child = await start(group, "sleep", "1000");
		expect(await next).toMatchObject({ value: { populated: true } });
		expect(await soFar(loop.next())).toBeUndefined();
		await loop.return?.();
		await group.kill();
		await child.exited;
	}));

test("remove ends every loop, also one that waits, and one of another object", () =>
	inGroup(async (group) => {
		const loops = [loopOver(group), loopOver(group)];
		for (const loop of loops) await loop.next();
		const waiting = loops.map((loop) => loop.next());
		await group.remove();
		for (const wait of waiting) expect(await wait).toEqual({ value: undefined, done: true });
	}));

test("a removed parent ends the loops of the groups below", () =>
	inGroup(async (group) => {
		await using inner = group.create("inner");
		const loop = loopOver(inner);
		await loop.next();
		const waiting = loop.next();
		await group.remove();
		expect(await waiting).toEqual({ value: undefined, done: true });
	}));

test("the signal ends a loop that waits, one that is busy, and one that has not begun", () =>
	inGroup(async (group) => {
		const control = new AbortController();
		const [waiting, later, never] = [1, 2, 3].map(() => loopOver(group, control.signal));
		await waiting?.next();
		await later?.next();
		const wait = waiting?.next();
		control.abort();
		const end = { value: undefined, done: true };
		expect(await wait).toEqual(end);
		expect(await later?.next()).toEqual(end);
		expect(await never?.next()).toEqual(end);
	}));

test("return ends a loop that waits", () =>
	inGroup(async (group) => {
		const loop = loopOver(group);
		await loop.next();
		const wait = loop.next();
		await loop.return?.();
		expect(await wait).toMatchObject({ done: true });
	}));

test("a loop says so when another program has removed the directory", () =>
	inGroup(async (group) => {
		const loop = loopOver(group);
		await loop.next();
		const wait = reason(() => loop.next());
		rmdirSync(join(`${groupsPlace}`, group.name));
		expect(await wait).toMatchObject({ code: "ERR_NEARFAR_CGROUP", reason: "removed" });
		expect(await loop.next()).toMatchObject({ done: true });
	}));

test("up to 1000 loops at once see the same change", () =>
	inGroup(async (group) => {
		const count = Math.min(1000, Math.floor(openFilesLimit() / 10)); // each has three files, and a copy of each
		const loops = Array.from({ length: count }, () => loopOver(group));
		await Promise.all(loops.map((loop) => loop.next()));
		const waiting = loops.map((loop) => loop.next());
		const child = await start(group, "sleep", "1000");
		for (const wait of waiting) expect(await wait).toMatchObject({ value: { populated: true } });
		await Promise.all(loops.map((loop) => loop.return?.()));
		await group.kill();
		await child.exited;
	}));

test("keeps the event loop alive while it waits, and not otherwise", () =>
	inGroup(async (group) => {
		const path = join(`${groupsPlace}`, group.name);
		expect(await runFixture("cgroup/idle-loop", { args: [path] })).toMatchObject({
			code: 0,
			report: "idle",
			stderr: "",
		});
	}));

test("not in a batch; near, whichever task is current", () =>
	inGroup(async (group) => {
		await using task = await Task.clone();
		await task.batch(() => {
			expect(() => group.events()).toThrow(expect.objectContaining({ code: "ERR_NEARFAR_BATCH" }));
		});
		let first: Promise<unknown> = Promise.resolve();
		const loop = loopOver(group);
		task.run(() => {
			first = loop.next();
		});
		expect(await first).toMatchObject({ value: empty });
		await loop.return?.();
	}));

test("a wrong signal is a TypeError", () =>
	inGroup(async (group) => {
		expect(() => group.events({ signal: 1 as never })).toThrow(TypeError);
	}));

const limited = needs("a cgroup with memory and pids in which this user can make groups");

limited.test("memory and pids have their totals, and a controller that is taken away takes its part along", () =>
	inGroup(
		async (group) => {
			await using inner = group.create("inner", { limits: { memory: { max: 64 << 20 }, pids: 100 } });
			const loop = loopOver(inner);
			expect((await loop.next()).value).toMatchObject({ memory: { oomKill: 0 }, pidsMax: 0 });
			writeFileSync(join(`${groupsPlace}`, group.name, "cgroup.subtree_control"), "-memory -pids");
			let next = loop.next();
			const child = await start(inner, "sleep", "1000");
			// Where the clone takes longer than a second, the loop has seen before that the controllers are gone.
			if (!(await next).value.populated) {
				expect((await next).value).toEqual(empty);
				next = loop.next();
			}
			expect((await next).value).toEqual({ populated: true, frozen: false });
			await loop.return?.();
			await inner.kill();
			await child.exited;
		},
		["memory", "pids"],
	),
);
