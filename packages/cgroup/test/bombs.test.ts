import { expect } from "vitest";
import { forkBomb } from "../../../test/fork-bomb.mjs";
import { needs } from "../../../test/needs.ts";
import { reason } from "../../../test/reason.ts";
import type { Cgroup, CgroupEvent, CgroupLimits } from "../src/index.ts";
import { inGroup, start } from "./group.ts";

const { test } = needs("a cgroup with memory and pids in which this user can make groups");
const controllers = ["memory", "pids"];
const MEMORY = 16 << 20; // bytes

/** Reads without end into its memory. */
const allocationBomb = ["tail", "/dev/zero"] as const;
const processBomb = ["sh", "-c", `exec 2>/dev/null; ${forkBomb()}`] as const;

/** Calls `fn` with a new group that has limits. */
const limited = (limits: CgroupLimits, fn: (group: Cgroup) => Promise<void>) =>
	inGroup(async (outer) => {
		await using group = outer.create("limited", { limits });
		await fn(group);
	}, controllers);

/** Returns how many processes the kernel has killed for memory. */
const oomKills = (group: Cgroup) => group.stat().memory?.events.oomKill;

/** An emulated machine can need more than 5 s for the end of hundreds of processes. */
async function removeAtLast(group: Cgroup): Promise<void> {
	const error = await reason(() => group.remove());
	if (error === undefined) return;
	expect(error).toMatchObject({ code: "ERR_NEARFAR_CGROUP", reason: "busy" });
	await removeAtLast(group);
}

test("CG-08: a kill for memory counts in the group and above, and `oom` where the limit was hit and above", () =>
	limited({ memory: { max: MEMORY } }, async (group) => {
		group.enable(["memory"]);
		await using inner = group.create("inner");
		await using unlimited = inner.create("unlimited", { limits: { memory: { oomGroup: false } } });
		const child = await start(unlimited, ...allocationBomb);
		expect(await child.exited).toMatchObject({ signal: "SIGKILL" });
		for (const each of [unlimited, inner, group]) expect(oomKills(each)).toBe(1);
		expect(unlimited.stat().memory?.events.oom).toBe(0);
		expect(group.stat().memory?.events.oom).toBeGreaterThan(0);
	}));

test("CG-09: the reason is there when the exit is", () =>
	limited({ memory: { max: MEMORY } }, async (group) => {
		for (let turn = 1; turn <= 8; turn++) {
			const child = await start(group, ...allocationBomb);
			expect(await child.exited).toMatchObject({ signal: "SIGKILL" });
			expect(oomKills(group)).toBe(turn);
		}
	}));

test.each([true, false])("CG-10: one process runs out of memory, oomGroup %s", (oomGroup) =>
	limited({ memory: { max: MEMORY, oomGroup } }, async (group) => {
		const bystander = await start(group, "sleep", "1000");
		const child = await start(group, ...allocationBomb);
		expect(await child.exited).toMatchObject({ signal: "SIGKILL" });
		if (oomGroup) expect(await bystander.exited).toMatchObject({ signal: "SIGKILL" });
		else expect(group.pids).toEqual([bystander.pid]);
		await group.kill();
		await bystander.exited;
	}),
);

test("CG-13: events under thrashing are few, and the last one has the kill", () =>
	limited({ memory: { max: MEMORY, swapMax: MEMORY } }, async (group) => {
		const seen: CgroupEvent[] = [];
		const watching = (async () => {
			for await (const event of group.events()) seen.push(event);
		})();
		for (let turn = 0; turn < 4; turn++) await (await start(group, ...allocationBomb)).exited;
		const { max = 0 } = group.stat().memory?.events ?? {};
		await expect.poll(() => seen.at(-1)).toMatchObject({ populated: false, memory: { oomKill: 4, max } });
		expect(seen.length).toBeLessThan(max);
		await group.remove();
		await watching;
	}));

test("a fork bomb meets its limit, which an event tells, and remove ends it", () =>
	limited({ pids: 50 }, async (group) => {
		const loop = group.events()[Symbol.asyncIterator]();
		const child = await start(group, ...processBomb);
		for (let refused = 0; refused === 0; ) refused = (await loop.next()).value?.pidsMax ?? 0;
		await removeAtLast(group);
		expect(group.removed).toBe(true);
		expect(await child.exited).toMatchObject({ signal: "SIGKILL" });
		expect(await loop.next()).toMatchObject({ done: true });
	}));

test(
	"ten groups with both bombs at once are removed, and nothing else dies",
	() =>
		inGroup(async (outer) => {
			await using apart = outer.create("apart");
			const bystander = await start(apart, "sleep", "1000");
			const limits = { pids: 12, memory: { max: MEMORY } };
			const groups = Array.from({ length: 10 }, (_, each) => outer.create(`${each}`, { limits }));
			const starts = groups.flatMap((group) => [start(group, ...processBomb), start(group, ...allocationBomb)]);
			// Where the fork bomb has filled its group, the kernel refuses the other one.
			const children = (await Promise.allSettled(starts)).flatMap((end) =>
				end.status === "fulfilled" ? end.value : [],
			);
			await Promise.all(groups.map(removeAtLast));
			await Promise.all(children.map(({ exited }) => exited));
			expect(groups.every(({ removed }) => removed)).toBe(true);
			expect(apart.pids).toEqual([bystander.pid]);
			await outer.remove();
			expect(await bystander.exited).toMatchObject({ signal: "SIGKILL" });
		}, controllers),
	300_000,
);
