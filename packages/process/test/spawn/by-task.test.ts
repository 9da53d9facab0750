import { chdir, Task } from "@nearfar/core";
import { expect, test } from "vitest";
import { run, type SpawnOptions, spawn } from "../../src/index.ts";

const own = { uid: process.geteuid?.() ?? 0, gid: process.getegid?.() ?? 0 };
const one = (inside: number, outside: number) => [{ inside, outside, count: 1 }];

test("a program has the place, the namespaces and the ids of the task that clones it", async () => {
	await using parent = await Task.clone({ namespaces: ["user", "uts"], idMap: "root" });
	parent.run(() => chdir("/usr"));
	const { stdout } = (
		await run("sh", ["-c", "pwd; id -u; readlink /proc/self/ns/uts /proc/$PPID/ns/uts | uniq | wc -l"], { parent })
	).check();
	expect(stdout).toBe("/usr\n0\n1\n");
});

test("its capabilities are reduced from those of the task", async () => {
	await using parent = await Task.clone({ namespaces: ["user"], idMap: "root" });
	const { stdout } = (
		await run("sh", ["-c", "grep -c 'Cap.*0000000000000000$' /proc/self/status"], { parent, capabilities: [] })
	).check();
	expect(stdout).toBe("5\n");
});

test("a nested user namespace with one id each is mapped by the task itself", async () => {
	await using parent = await Task.clone({
		namespaces: ["user"],
		idMap: { uids: one(0, own.uid), gids: one(0, own.gid) },
	});
	const nested: SpawnOptions = {
		namespaces: ["user"],
		idMap: { uids: one(4242, 0), gids: one(4343, 0), helper: "never", setgroups: "deny" },
	};
	const { stdout } = (await run("sh", ["-c", "id -u; id -g; cat /proc/self/setgroups"], { parent, ...nested })).check();
	expect(stdout).toBe("4242\n4343\ndeny\n");
	const foreign = {
		...nested,
		idMap: { uids: one(0, 7), gids: one(0, 0), helper: "never", setgroups: "deny" },
	} as const;
	await expect(run("true", [], { parent, ...foreign })).rejects.toMatchObject({ code: "EPERM", syscall: "write" });
});

test("a setup can have the parent supervise the program", async () => {
	await using parent = await Task.clone({ namespaces: ["user", "pid"], idMap: "root" });
	const child = await spawn("sh", ["-c", "(setsid sleep 1000 &); exit 3"], {
		parent,
		stdio: "ignore",
		setup: (task) => parent.supervise(task.process),
	});
	expect(await child.exited).toMatchObject({ code: 3 });
});

test("the parent can supervise the program before the task makes its first call", async () => {
	await using parent = await Task.clone({ namespaces: ["user", "pid"], idMap: "root" });
	const states: string[] = [];
	const child = await spawn(
		"sh",
		["-c", "(setsid sleep 1000 &); exit $(($(grep -c 'Cap.*0000000000000000$' /proc/self/status)))"],
		{
			parent,
			namespaces: ["user"],
			idMap: { uids: one(7, 0), gids: one(7, 0), helper: "never", setgroups: "deny" },
			stdio: "ignore",
			capabilities: [],
			session: true,
			async cloned(task) {
				await Promise.resolve();
				states.push(task.state);
				parent.supervise(task.process);
				states.push(parent.state);
			},
		},
	);
	expect(await child.exited).toMatchObject({ code: 5 });
	expect(states).toEqual(["live", "supervisor"]);
});

test.each<[string, SpawnOptions]>([
	["alone", {}],
	["with killTree", { killTree: true }],
	["with a setup", { setup: () => {} }],
])("cloned %s is waited for, and what it throws is thrown", async (_, options) => {
	let waited = false;
	const cloned = async () => {
		await new Promise((resolve) => setImmediate(resolve));
		waited = true;
	};
	expect((await run("sh", ["-c", "echo $PPID >/dev/null; exit 4"], { ...options, cloned })).code).toBe(4);
	expect(waited).toBe(true);
	const failing = () => Promise.reject(new Error("mine"));
	await expect(spawn("true", [], { ...options, cloned: failing })).rejects.toThrow("mine");
	await expect(spawn("true", [], { ...options, cloned: 1 as never })).rejects.toMatchObject({
		code: "ERR_INVALID_ARG_TYPE",
	});
});

test.each<[string, SpawnOptions]>([
	["killTree", { killTree: true }],
	["init", { init: true, namespaces: ["pid"] }],
	["join", { join: [] }],
	["group", { group: Task.near.process as never }],
])("%s beside it is refused", async (_, options) => {
	await using parent = await Task.clone();
	await expect(spawn("true", [], { parent, ...options })).rejects.toMatchObject({
		code: expect.stringMatching(/^ERR_INVALID/),
	});
});

test("this process and another value are no parent", async () => {
	await expect(spawn("true", [], { parent: Task.near as never })).rejects.toMatchObject({
		code: "ERR_INVALID_ARG_TYPE",
	});
	await expect(spawn("true", [], { parent: {} as never })).rejects.toMatchObject({ code: "ERR_INVALID_ARG_TYPE" });
});
