import { expect } from "vitest";
import { runFixture } from "../../../../test/fixture.ts";
import { FrozenGroup } from "../../../../test/frozen-group.ts";
import { needs } from "../../../../test/needs.ts";
import { reason } from "../../../../test/reason.ts";
import { type CloneOptions, openat2, Task } from "../../src/index.ts";
import { makePlace } from "../place.ts";

const place = makePlace();
const { test } = needs("cgroup v2 in which this user can make groups");

test.each<[string, (options: CloneOptions) => Promise<Task>]>([
	["the zygote", (options) => Task.clone(options)],
	["the zygote, with a first batch", (options) => Task.clone({ ...options, begin: (task) => void task.exec("true") })],
	["the zygote, with a user namespace", (options) => Task.clone({ ...options, namespaces: ["user"] })],
	["a task", (options) => place.task.clone(options)],
	["a task that shares memory", (options) => place.task.clone({ ...options, share: ["vm"] })],
	["a task that shares descriptors", (options) => place.task.clone({ ...options, share: ["files"] })],
])("an abort kills a task that %s has cloned into a frozen cgroup", async (_, clone) => {
	await using group = new FrozenGroup();
	using cgroup = openat2(group.path, { flags: ["path", "directory"] });
	const control = new AbortController();
	const cloning = clone({ cgroup, signal: control.signal });
	await expect.poll(() => group.pids().length).toBe(1);
	control.abort(new Error("enough"));
	const outcome = await reason(async () => (await cloning).process[Symbol.asyncDispose]());
	// A task of the zygote is there as soon as it is cloned.
	if (outcome) expect(outcome).toMatchObject({ code: "ABORT_ERR" });
	await expect.poll(() => group.pids()).toEqual([]);
});

test("a task that is disposed of while it clones into a frozen cgroup loses no task in there", async () => {
	await using group = new FrozenGroup();
	using cgroup = openat2(group.path, { flags: ["path", "directory"] });
	for (let round = 0; round < 60; round++) {
		const cloner = await Task.clone();
		const control = new AbortController();
		const cloning = cloner.clone({ cgroup, signal: control.signal });
		group.blockUntilCloned();
		const disposed = cloner[Symbol.asyncDispose]();
		control.abort();
		expect(await reason(() => cloning)).toMatchObject({ code: "ABORT_ERR" });
		await disposed;
		await expect.poll(() => group.pids(), { interval: 1 }).toEqual([]);
	}
});

test.each(["abort", "terminate"])(
	"the end of Node leaves no task in a frozen cgroup into which one is being cloned: %s",
	async (how) => {
		await using group = new FrozenGroup();
		expect(await runFixture("core/frozen", { args: [group.path, how] })).toMatchObject({ code: 0, stderr: "" });
		await expect.poll(() => group.pids()).toEqual([]);
	},
);
