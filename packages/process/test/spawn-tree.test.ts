import { spawn as nodeSpawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { expectNoLeaks, stat } from "../../core/test/leaks.ts";
import { mark, marked, untilMarked } from "../../core/test/marked.ts";
import { root } from "../../core/test/privilege.ts";
import { type SpawnOptions, spawn } from "../src/index.ts";

expectNoLeaks();

/** Three generations, of which the last two have sessions of their own and parents that are gone. */
const daemons = "(setsid sh -c 'sleep 1000 & setsid sleep 1001 & sleep 1002' &) & ";
const fixture = fileURLToPath(new URL("fixtures/spawn.mjs", import.meta.url));

const trees: [string, SpawnOptions][] = [
	["killTree", { killTree: true }],
	["init", { namespaces: ["user", "pid"], init: true }],
	["killTree in a pid namespace", { namespaces: ["user", "pid"], killTree: true }],
];

describe.each(trees)("%s: nothing that the program has started is left", (_, tree) => {
	const start = (script: string, env: Record<string, string>, options: SpawnOptions = {}) =>
		spawn("/bin/sh", ["-c", script], { stdio: "ignore", env: { PATH: "/usr/bin:/bin", ...env }, ...tree, ...options });

	test("when it ends, whose status is reported", async () => {
		const env = mark();
		const child = await start(`${daemons} while [ $(pgrep -cx sleep) -lt 3 ]; do :; done; exit 7`, env);
		expect(await child.exited).toEqual({ code: 7, signal: null, dumped: false });
		expect(marked(env)).toEqual([]);
	});

	test.each<[string, SpawnOptions, (child: Awaited<ReturnType<typeof start>>) => unknown, string]>([
		["is killed", {}, (child) => child.kill("SIGKILL"), "SIGKILL"],
		["is terminated", {}, (child) => child.kill(), "SIGTERM"],
		["is disposed", {}, (child) => child[Symbol.asyncDispose](), "SIGKILL"],
		["times out", { timeout: 1500, killSignal: "SIGUSR1" }, () => {}, "SIGUSR1"],
	])("when it %s", async (_, options, end, signal) => {
		const env = mark();
		const child = await start(`${daemons} exec sleep 1003`, env, options);
		if (!options.timeout) await untilMarked(env, 5);
		await end(child);
		expect(await child.exited).toMatchObject({ code: null, signal });
		expect(marked(env)).toEqual([]);
	});

	test("when it is aborted", async () => {
		const env = mark();
		const control = new AbortController();
		const child = await start(`${daemons} exec sleep 1003`, env, { signal: control.signal });
		await untilMarked(env, 5);
		control.abort();
		expect(await child.exited).toMatchObject({ signal: "SIGTERM" });
		expect(marked(env)).toEqual([]);
	});

	test.each(["starting", "setup", "started", "disposed", "exit", "unref"])(
		"when Node gets SIGKILL or ends: %s",
		async (phase) => {
			const env = mark();
			const args = [fixture, phase, `${daemons} exec sleep 1003`, JSON.stringify({ ...tree, env })];
			const node = nodeSpawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
			await once(node, "close");
			await untilMarked(env, 0);
			const clean = ["disposed", "exit", "unref"].includes(phase);
			expect([node.exitCode, node.signalCode]).toEqual(clean ? [phase === "unref" ? 13 : 0, null] : [null, "SIGKILL"]);
		},
	);

	test("when Node gets SIGKILL while it runs", async () => {
		const env = mark();
		const args = [fixture, "run", `${daemons} exec sleep 1003`, JSON.stringify({ ...tree, env })];
		const node = nodeSpawn(process.execPath, args, { stdio: "ignore" });
		await untilMarked(env, 5);
		node.kill("SIGKILL");
		await untilMarked(env, 0);
	});

	test("when the supervisor gets SIGKILL, the program is killed", async () => {
		const env = mark();
		const child = await start("exec sleep 1003", env);
		await untilMarked(env, 1);
		const parent = Number(/^PPid:\t(\d+)$/m.exec(readFileSync(`/proc/${child.pid}/status`, "utf8"))?.[1]);
		expect(parent).not.toBe(process.pid);
		process.kill(parent, "SIGKILL");
		expect(await child.exited).toMatchObject({ signal: "SIGKILL" });
		expect(marked(env)).toEqual([]);
	});
});

test("init reaps orphans while the program runs, and forwards what is sent to it", async () => {
	const script = "trap 'exit 5' TERM; (sh -c 'exit 4' &); while :; do ls /proc/1/task/1/children; sleep 0.01; done";
	const child = await spawn("sh", ["-c", script], {
		namespaces: ["user", "pid"],
		init: true,
		stdio: ["ignore", "pipe", "ignore"],
	});
	await once(child.stdout as NonNullable<typeof child.stdout>, "data");
	const parent = Number(/^PPid:\t(\d+)$/m.exec(readFileSync(`/proc/${child.pid}/status`, "utf8"))?.[1]);
	const list = () => readFileSync(`/proc/${parent}/task/${parent}/children`, "utf8");
	await expect.poll(list).toBe(`${child.pid} `);
	process.kill(parent, "SIGTERM");
	child.stdout?.resume();
	expect(await child.exited).toMatchObject({ code: 5 });
});

test("without killTree what it has started lives on, and so does the program when Node ends", async () => {
	const env = mark();
	const options = { stdio: "ignore", env: { PATH: "/usr/bin:/bin", ...env } } as const;
	const child = await spawn("sh", ["-c", "sleep 1000 & exit 0"], options);
	await child.check();
	await untilMarked(env, 1);
	const args = [fixture, "exit", "exec sleep 1003", JSON.stringify({ env })];
	const node = nodeSpawn(process.execPath, args, { stdio: "inherit" });
	await once(node, "exit");
	await untilMarked(env, 2);
	for (const pid of marked(env)) process.kill(pid, "SIGKILL");
	await untilMarked(env, 0);
});

test("deathSignal comes when Node dies, though the ids have changed before", async () => {
	const env = mark();
	const rooted = { namespaces: ["user"], idMap: "root", uid: 0, gid: 0, deathSignal: "SIGUSR2" };
	const script = "trap 'echo got it; exit' USR2; echo ready; while :; do sleep 0.01; done";
	const options = JSON.stringify({ ...rooted, env, stdio: ["ignore", "inherit", "ignore"] });
	const node = nodeSpawn(process.execPath, [fixture, "run", script, options], { stdio: ["ignore", "pipe", "inherit"] });
	const [ready] = await once(node.stdout, "data");
	expect(`${ready}`).toBe("ready\n");
	node.kill("SIGKILL");
	expect(await text(node.stdout)).toBe("got it\n");
	await untilMarked(env, 0);
});

test.each<[string, SpawnOptions]>([
	["", {}],
	["with other ids", root ? { uid: 1000, gid: 1000 } : { namespaces: ["user"], idMap: "root", uid: 0 }],
])("a task that only learns of its program when Node is dead does not execute it %s", async (_, options) => {
	const env = mark();
	const file = fileURLToPath(new URL("fixtures/spawn-orphan.mjs", import.meta.url));
	for (const deathSignal of [null, "SIGUSR2"]) {
		const given = JSON.stringify({ ...options, deathSignal, env });
		const node = nodeSpawn(process.execPath, [file, given], { stdio: ["ignore", "pipe", "inherit"] });
		const pid = Number(await text(node.stdout));
		expect(stat(pid)?.name).not.toBe("sleep");
		try {
			process.kill(pid, "SIGCONT");
		} catch {
			// It is gone already.
		}
		const alive = () => (stat(pid)?.state === "Z" ? undefined : stat(pid));
		await expect.poll(alive, { timeout: 10_000 }).toBeUndefined();
		expect(marked(env)).toEqual([]);
	}
});
