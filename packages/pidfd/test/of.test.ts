import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { Task } from "@nearfar/core";
import { expect, test } from "vitest";
import { PidFd } from "../src/index.ts";
import { stateOf } from "./children.ts";

const MANY = 60;

// Half of the children are killed. Each of the others exits with a different code.
const start = (index: number) =>
	spawn("sh", ["-c", index % 2 ? `exit ${index}` : "kill -TERM $$"], { stdio: "ignore" });
const ended = (index: number) => (index % 2 ? [index, null] : [null, "SIGTERM"]);

test("beside Node, with many children: everybody hears of every end", async () => {
	const children = Array.from({ length: MANY }, (_, index) => start(index));
	const exits = children.map((child) => once(child, "exit"));
	const pidfds = children.map((child) => PidFd.of(child));
	const ours = pidfds.map((pidfd, index) => (index % 3 ? pidfd.wait() : pidfd.exited()));
	const expected = children.map((_, index) => ended(index));
	expect((await Promise.all(ours)).map((end) => [end?.code, end?.signal])).toEqual(expected);
	expect(await Promise.all(exits)).toEqual(expected);
	for (const [index, pidfd] of pidfds.entries()) {
		expect([pidfd.poll()?.code, (await pidfd.exited())?.code]).toEqual([ended(index)[0], ended(index)[0]]);
		pidfd.close();
	}
});

test("the same by number, whoever is first", async () => {
	const children = Array.from({ length: MANY }, (_, index) => start(index));
	const exits = children.map((child) => once(child, "exit"));
	const pidfds = children.map((child) => PidFd.open(child.pid ?? 0));
	// Node has reaped no child in this turn of the event loop: some are zombies, and `poll` finds them.
	for (const child of children.slice(0, MANY / 2)) while (stateOf(child.pid ?? 0) !== "Z");
	const polled = pidfds.slice(0, MANY / 2).map((pidfd) => pidfd.poll()?.code);
	expect(polled).toEqual(polled.map((_, index) => ended(index)[0]));
	const states = await Promise.all(pidfds.map((pidfd) => pidfd.wait({ nowait: true })));
	expect(states.map(({ code, signal }) => [code, signal])).toEqual(states.map((_, index) => ended(index)));
	expect(await Promise.all(exits)).toEqual(states.map((_, index) => ended(index)));
	for (const pidfd of pidfds) pidfd.close();
});

test("asked after Node has reaped it", async () => {
	const child = start(7);
	using pidfd = PidFd.of(child);
	expect(await once(child, "exit")).toEqual([7, null]);
	expect(pidfd.poll()).toMatchObject({ state: "exited", code: 7 });
	expect(await pidfd.wait()).toMatchObject({ state: "exited", code: 7 });
	expect(await pidfd.exited()).toEqual({ code: 7, signal: null, dumped: false });
});

test("a child that is dead, and that Node has not heard of, is still the one", async () => {
	const child = start(0);
	while (stateOf(child.pid ?? 0) !== "Z");
	const exit = once(child, "exit");
	using pidfd = PidFd.of(child);
	expect(await pidfd.exited()).toEqual({ code: null, signal: "SIGTERM", dumped: false });
	expect(await exit).toEqual([null, "SIGTERM"]);
});

test("one that has ended, or never started, is refused, and so is what is no child", async () => {
	for (const index of [1, 2]) {
		const child = start(index);
		await once(child, "exit");
		const state = expect.objectContaining({ pid: child.pid, code: ended(index)[0], signal: ended(index)[1] });
		const dead = expect.objectContaining({ code: "ERR_NEARFAR_CHILD_DEAD", state });
		expect(() => PidFd.of(child)).toThrow(dead);
	}
	const never = spawn("/nope");
	const failed = once(never, "error");
	expect(() => PidFd.of(never)).toThrow(expect.objectContaining({ code: "ERR_INVALID_ARG_VALUE" }));
	expect((await failed)[0]).toMatchObject({ code: "ENOENT" });
	for (const child of [null, 1, {}, process, { pid: 1 }]) {
		const type = expect.objectContaining({ code: "ERR_INVALID_ARG_TYPE" });
		expect(() => PidFd.of(child as unknown as ChildProcess)).toThrow(type);
	}
	// The caller may be wrong: init is not a child of this process.
	const claimed = { pid: 1, exitCode: null, signalCode: null };
	expect(() => PidFd.of(claimed)).toThrow(expect.objectContaining({ code: "ERR_NEARFAR_CHILD_DEAD" }));
});

test("in a task of another pid namespace, and in a batch, it is refused", async () => {
	const child = spawn("cat", { stdio: ["pipe", "ignore", "ignore"] });
	await using inside = await Task.clone({ namespaces: ["user", "pid"] });
	const mismatch = expect.objectContaining({ code: "ERR_NEARFAR_NAMESPACE_MISMATCH" });
	expect(() => inside.run(() => PidFd.of(child))).toThrow(mismatch);
	await using task = await Task.clone();
	const batch = task.batch(() => PidFd.of(child));
	await expect(batch).rejects.toMatchObject({ code: "ERR_NEARFAR_BATCH" });
	const far = task.run(() => PidFd.of(child));
	const exited = far.exited();
	const exit = once(child, "exit");
	child.stdin.end();
	expect(await exited).toEqual({ code: 0, signal: null, dumped: false });
	expect(await exit).toEqual([0, null]);
});
