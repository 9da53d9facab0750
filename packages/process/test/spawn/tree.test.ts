import { spawn as nodeSpawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { fixturePath } from "../../../../test/fixture.ts";
import { mark, marked, untilMarked } from "../../../../test/marked.ts";
import { has, needs } from "../../../../test/needs.ts";
import { ownProc } from "../../../../test/own-proc.ts";
import { type SpawnOptions, spawn } from "../../src/index.ts";

/** Three generations of processes. The last two have their own sessions, and their parents are gone. */
const daemons = "(setsid sh -c 'sleep 1000 & setsid sleep 1001 & sleep 1002' &) & ";
/** Waits in shell code, without another program, until the processes run. */
const waitForDaemons = `while [ $(cat ${ownProc}/[0-9]*/environ 2>/dev/null | tr '\\0' '\\n' | grep -c ^NEARFAR_MARK=$NEARFAR_MARK$) -lt 6 ]; do :; done`;
const fixture = fixturePath("process/spawn");

const trees: [string, SpawnOptions][] = [
	["killTree", { killTree: true }],
	["init", { namespaces: ["user", "pid"], init: true }],
	["killTree in a pid namespace", { namespaces: ["user", "pid"], killTree: true }],
];

needs("/proc").describe.each(trees)("%s: nothing that the program has started is left", (_, tree) => {
	const start = (script: string, env: Record<string, string>, options: SpawnOptions = {}) =>
		spawn("/bin/sh", ["-c", script], { stdio: "ignore", env: { PATH: "/usr/bin:/bin", ...env }, ...tree, ...options });

	test("when it ends, whose status is reported", async () => {
		const env = mark();
		const child = await start(`${daemons} ${waitForDaemons}; exit 7`, env);
		expect(await child.exited).toEqual({ code: 7, signal: null, dumped: false });
		expect(marked(env)).toEqual([]);
	});

	test.each<[string, SpawnOptions, (child: Awaited<ReturnType<typeof start>>) => unknown, string]>([
		["is killed", {}, (child) => child.kill("SIGKILL"), "SIGKILL"],
		["is terminated", {}, (child) => child.kill(), "SIGTERM"],
		["is disposed", {}, (child) => child[Symbol.asyncDispose](), "SIGKILL"],
		["times out", { timeout: 3000, killSignal: "SIGUSR1" }, () => {}, "SIGUSR1"],
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

	test.each<[string, SpawnOptions]>([
		["in its group", {}],
		["in a group of its own", { group: true }],
		["in a session of its own", { session: true }],
	])("when the process group of Node is stopped and gets SIGKILL, the program %s", async (_, options) => {
		const env = mark();
		const args = [fixture, "run", `${daemons} exec sleep 1003`, JSON.stringify({ ...tree, ...options, env })];
		const node = nodeSpawn(process.execPath, args, { stdio: "ignore", detached: true });
		const group = -(node.pid as number);
		await untilMarked(env, 5);
		process.kill(group, "SIGSTOP");
		process.kill(group, "SIGKILL");
		await untilMarked(env, 0);
	});

	test("when Node and the supervisor get SIGKILL, the program is killed", async () => {
		const env = mark();
		const args = [fixture, "run", "exec sleep 1003", JSON.stringify({ ...tree, env })];
		const node = nodeSpawn(process.execPath, args, { stdio: "ignore" });
		const [program] = await untilMarked(env, 1);
		const parent = parentOf(program as number);
		node.kill("SIGSTOP");
		process.kill(parent, "SIGKILL");
		await untilMarked(env, 0);
		node.kill("SIGKILL");
	});

	test.each(["disposed", "times out"])("when it has stopped its supervisor and is %s", async (how) => {
		const env = mark();
		// Process 1 of a namespace cannot be stopped from inside, so this process stops it.
		const child = await start(
			"exec sleep 1003",
			env,
			how === "disposed" ? {} : { timeout: 3000, killSignal: "SIGUSR2" },
		);
		process.kill(parentOf(child.pid), "SIGSTOP");
		if (how === "disposed") await child[Symbol.asyncDispose]();
		expect(await child.exited).toMatchObject({ signal: how === "disposed" ? "SIGKILL" : "SIGUSR2" });
		expect(marked(env)).toEqual([]);
	});

	test("when the supervisor gets SIGKILL, the program is killed", async () => {
		const env = mark();
		const child = await start("exec sleep 1003", env);
		await untilMarked(env, 1);
		const parent = parentOf(child.pid);
		expect(parent).not.toBe(process.pid);
		process.kill(parent, "SIGKILL");
		const { signal } = await child.exited;
		// Before Linux 6.15 the status of a child that another process reaps is often not known.
		expect(has("Linux 6.15") ? ["SIGKILL"] : ["SIGKILL", null]).toContain(signal);
		expect(marked(env)).toEqual([]);
	});
});

test("init reaps orphans while the program runs, and forwards what is sent to it", async () => {
	const script = "trap 'exit 5' TERM; (sh -c 'exit 4' &); while :; do echo; sleep 0.01; done";
	const child = await spawn("sh", ["-c", script], {
		namespaces: ["user", "pid"],
		init: true,
		stdio: ["ignore", "pipe", "ignore"],
	});
	await once(child.stdout as NonNullable<typeof child.stdout>, "data");
	const parent = parentOf(child.pid);
	const list = () => readFileSync(`/proc/${parent}/task/${parent}/children`, "utf8");
	await expect.poll(list).toBe(`${child.pid} `);
	process.kill(parent, "SIGTERM");
	child.stdout?.resume();
	expect(await child.exited).toMatchObject({ code: 5 });
});

test("of a stop only its supervisor hears: poll says so, as wait does", async () => {
	await using child = await spawn("sleep", ["1000"], { killTree: true, stdio: "ignore" });
	const refused = { code: "ECHILD", message: `ECHILD: no child processes, waitid of ${child}` };
	expect(() => child.poll({ stopped: true })).toThrow(expect.objectContaining(refused));
	await expect(child.wait({ stopped: true })).rejects.toMatchObject(refused);
	expect(child.poll()).toBeUndefined();
});

function parentOf(pid: number): number {
	return Number(/^PPid:\t(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]);
}
