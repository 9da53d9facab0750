import { statSync } from "node:fs";
import { geteuid } from "node:process";
import { describe, expect, test } from "vitest";
import { cloneUninspected } from "../../../../test/inspectable.ts";
import { needs } from "../../../../test/needs.ts";
import { refusal } from "../../../../test/refusal.ts";
import type { CloneOptions, Task } from "../../src/index.ts";

const x64 = process.arch === "x64";
const [prctl, setns] = x64 ? [157, 308] : [167, 268];
const [pidfdOpen, pidfdGetfd] = [434, 438];
const [getDumpable, setDumpable] = [3, 4];
const [newUser, newPid] = [0x1000_0000, 0x2000_0000];
const self = geteuid?.() ?? 0;
const one = (outside: number) => [{ inside: 0, outside, count: 1 }];
const own = { uids: one(self), gids: one(process.getgid?.() ?? 0) };
const isDumpable = (task: Task) => task.syscall(prctl, getDumpable) === 1n;

/** Has one task try to take descriptor 0 of the process that it knows by `pid`. Returns the code of the refusal. */
function steal(thief: Task, pid: number): string | undefined {
	using victim = thief.syscall(pidfdOpen, pid, 0, { fd: true });
	return refusal(() => thief.syscall(pidfdGetfd, victim, 0, 0)).code;
}

const kinds: [string, CloneOptions][] = [
	["in Node's namespaces", {}],
	["whose own map is root", { namespaces: ["user"], idMap: "root" }],
	["whose own map is the identity", { namespaces: ["user", "pid"], idMap: "identity" }],
	["whose map is written from outside", { namespaces: ["user"], idMap: own }],
	["without a map", { namespaces: ["user"], idMap: "none" }],
];

describe.each(kinds)("a task %s", (_, options) => {
	test("is not dumpable from its first call, and neither is its child", async () => {
		await using task = await cloneUninspected(options);
		await using child = await cloneUninspected({}, task);
		expect([isDumpable(task), isDumpable(child)]).toEqual([false, false]);
	});

	test("is dumpable after its user has asked for it, and its child is not", async () => {
		await using task = await cloneUninspected(options);
		task.syscall(prctl, setDumpable, 1);
		await using child = await cloneUninspected({}, task);
		expect([isDumpable(task), isDumpable(child)]).toEqual([true, false]);
	});

	test("executes a program that its user may trace", async () => {
		const task = await cloneUninspected(options);
		const program = task.exec("/bin/sleep", ["sleep", "1000"]);
		const { uid } = statSync(`/proc/${program.pid}/status`);
		await program[Symbol.asyncDispose]();
		// The user of a task without a map has no number in its namespace, and is still the owner outside.
		expect(uid).toBe(self);
	});
});

test.each([
	["its own", "root" as const],
	["one from outside", { uids: one(0), gids: one(0) }],
])("a task in the user namespace of a task gets a map, %s, and is not dumpable", async (_, idMap) => {
	await using parent = await cloneUninspected({ namespaces: ["user", "pid"], idMap: "root" });
	await using child = await cloneUninspected({ namespaces: ["user"], idMap }, parent);
	expect([isDumpable(parent), isDumpable(child)]).toEqual([false, false]);
});

test.each([[0], [1]])(
	"a map of a task that shares memory leaves PR_GET_DUMPABLE of its creator at %d",
	async (value) => {
		await using creator = await cloneUninspected({});
		creator.syscall(prctl, setDumpable, value);
		await using task = await cloneUninspected({ share: ["vm"], namespaces: ["user"], idMap: "root" }, creator);
		expect([isDumpable(creator), isDumpable(task)]).toEqual([value === 1, value === 1]);
	},
);

test("root of a user namespace cannot take a descriptor of the task that has cloned it", async () => {
	await using parent = await cloneUninspected({ namespaces: ["user", "pid"], idMap: "root" });
	await using hostile = await cloneUninspected({}, parent);
	expect(steal(hostile, 1)).toBe("EPERM");
});

test("root of a container cannot take a descriptor of a task that enters it, nor of that task's child", async () => {
	await using container = await cloneUninspected({ namespaces: ["user", "pid"], idMap: "root" });
	container.syscall(prctl, setDumpable, 1); // as the program of a container is
	await using hostile = await cloneUninspected({}, container);
	await using enters = await cloneUninspected({});
	using namespaces = enters.put(container.process.fd);
	enters.syscall(setns, namespaces, newUser | newPid);
	await using inside = await cloneUninspected({}, enters);
	const pid = Number(inside.syscall(x64 ? 39 : 172));
	expect(steal(hostile, pid)).toBe("EPERM");
});

needs("an ordinary user").test("only root looks into the files of a task", async () => {
	await using task = await cloneUninspected({});
	// The clone resolves while the task is at its first calls. It makes this one after them.
	task.syscall(prctl, getDumpable);
	expect(statSync(`/proc/${task.pid}/status`).uid).toBe(0);
	task.syscall(prctl, setDumpable, 1);
	expect(statSync(`/proc/${task.pid}/status`).uid).toBe(self);
});
