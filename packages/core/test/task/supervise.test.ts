import { spawn } from "node:child_process";
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { setImmediate } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { fixturePath } from "../../../../test/fixture.ts";
import { mark, marked, untilMarked } from "../../../../test/marked.ts";
import { has, needs } from "../../../../test/needs.ts";
import { reason } from "../../../../test/reason.ts";
import { forbid } from "../../../../test/seccomp.ts";
import { openat2, pipe, Task } from "../../src/index.ts";

const PRCTL = process.arch === "x64" ? 157 : 167;
const PR_SET_CHILD_SUBREAPER = 36;

// Three generations of processes. The last two have their own sessions, and their parents are gone.
const daemons = "(setsid sh -c 'sleep 1000 & setsid sleep 1001 & sleep 1002' &) & ";

async function supervised(
	script: string,
	env: Record<string, string>,
	options?: { pid?: boolean; forward?: boolean; endStopped?: boolean; dumpable?: boolean },
) {
	const supervisor = await Task.clone(options?.pid ? { namespaces: ["user", "pid"] } : {});
	const task = await supervisor.clone();
	supervisor.supervise(task.process, {
		forward: options?.forward ?? false,
		endStopped: options?.endStopped ?? false,
		dumpable: options?.dumpable ?? false,
	});
	const program = task.exec("/bin/sh", ["sh", "-c", script], { env: { ...env, PATH: "/usr/bin:/bin" } });
	return { supervisor, program };
}

describe.each([
	["a child subreaper", false],
	["process 1 of a pid namespace", true],
])("%s", (_, pid) => {
	test("reports the program's status when nobody of its tree is left", async () => {
		const env = mark();
		const { program, supervisor } = await supervised(`${daemons} exec sleep 1003`, env, { pid });
		await untilMarked(env, 5);
		expect(supervisor.state).toBe("supervisor");
		program.kill("SIGUSR1");
		expect(await program.exited).toEqual({ code: null, signal: "SIGUSR1", dumped: false });
		expect(marked(env)).toEqual([]);
		expect(program.resourceUsage?.maxRSS).toBeGreaterThan(0);
		await supervisor.process.exited;
	});

	test("ends a program that is stopped, and what it has started, when it is asked to", async () => {
		const env = mark();
		const { program, supervisor } = await supervised(`${daemons} kill -STOP $$`, env, { pid, endStopped: true });
		expect(await program.exited).toMatchObject({ signal: "SIGKILL" });
		expect(marked(env)).toEqual([]);
		await supervisor.process.exited;
	});

	test("reports an exit code, and reaps what it adopts meanwhile", async () => {
		const env = mark();
		const orphans = "(sh -c 'exit 4' &); ".repeat(20);
		const { program, supervisor } = await supervised(`${orphans} exec sleep 1000`, env, { pid });
		const list = `/proc/${supervisor.pid}/task/${supervisor.pid}/children`;
		await expect.poll(() => readFileSync(list, "utf8")).toBe(`${program.pid} `);
		program.kill("SIGTERM");
		expect(await program.exited).toMatchObject({ signal: "SIGTERM" });
		expect(program.death).toMatchObject({ state: "killed", uid: process.getuid?.() });
		await supervisor.process.exited;
	});

	test("when it is disposed, or Node's end of its channel closes, kills all", async () => {
		const env = mark();
		const { program, supervisor } = await supervised(`${daemons} exec sleep 1003`, env, { pid });
		await untilMarked(env, 5);
		await supervisor[Symbol.asyncDispose]();
		expect(await program.exited).toMatchObject({ signal: "SIGKILL" });
		expect(marked(env)).toEqual([]);
	});

	test("killed itself, takes the program with it", async () => {
		const env = mark();
		const { program, supervisor } = await supervised("exec sleep 1003", env, { pid });
		await untilMarked(env, 1);
		supervisor.process.kill("SIGKILL");
		const { signal } = await program.exited;
		// Before Linux 6.15 the status of a child that another process reaps is often not known.
		expect(has("Linux 6.15") ? ["SIGKILL"] : ["SIGKILL", null]).toContain(signal);
		await supervisor.process.exited;
		expect(marked(env)).toEqual([]);
	});

	test("forwards signals only when it is asked to, and none ends it", async () => {
		const env = mark();
		const handled = "trap 'exit 5' TERM; while :; do sleep 0.01; done";
		const { program, supervisor } = await supervised(handled, env, { pid, forward: true });
		await untilHandled(program.pid, 15);
		supervisor.process.kill("SIGTERM");
		expect(await program.exited).toMatchObject({ code: 5 });
		await supervisor.process.exited;

		const other = await supervised(handled, env, { pid });
		await untilHandled(other.program.pid, 15);
		for (const signal of ["SIGTERM", "SIGINT", "SIGHUP", "SIGUSR1"] as const) other.supervisor.process.kill(signal);
		other.program.kill("SIGUSR2");
		expect(await other.program.exited).toMatchObject({ signal: "SIGUSR2" });
		await other.supervisor.process.exited;
	});

	test("NST-23 the program's end is known though it had ended before it was supervised", async () => {
		const supervisor = await Task.clone(pid ? { namespaces: ["user", "pid"] } : {});
		const task = await supervisor.clone();
		const program = task.exec("/bin/sh", ["sh", "-c", "exit 9"]);
		supervisor.supervise(program);
		expect(await program.exited).toMatchObject({ code: 9 });
		await supervisor.process.exited;
	});

	needs("/proc").test(
		"a program that has ended before it is supervised keeps its status, and its processes are killed",
		async () => {
			const env = mark();
			const supervisor = await Task.clone(pid ? { namespaces: ["user", "pid"] } : {});
			if (!pid) supervisor.syscall(PRCTL, PR_SET_CHILD_SUBREAPER, 1);
			const task = await supervisor.clone();
			const options = { env: { ...env, PATH: "/usr/bin:/bin" } };
			const program = task.exec("/bin/sh", ["sh", "-c", `${daemons} exit 9`], options);
			expect(await program.exited).toMatchObject({ code: 9 });
			await untilMarked(env, 4);
			supervisor.supervise(program, { forward: true });
			expect([supervisor.state, await program.exited]).toMatchObject(["supervisor", { code: 9 }]);
			expect(await supervisor.process.exited).toMatchObject({ code: 0 });
			expect(marked(env)).toEqual([]);
		},
	);

	test("a supervisor keeps standard input, output and error and the descriptors it is told to keep", async () => {
		const supervisor = await Task.clone(pid ? { namespaces: ["user", "pid"] } : {});
		const task = await supervisor.clone();
		const [ends, kept] = [pipe(), pipe()];
		supervisor.put(ends[1]);
		const fds = [supervisor.put(kept[1], { number: 200 }), supervisor.put(ends[0], { number: 5 })];
		for (const [, write] of [ends, kept]) write.close();
		supervisor.supervise(task.process, { fds });
		expect(`${ends[0].read(1)}`).toBe(""); // no process has the other end open any more
		kept[0].blocking = false;
		expect(await reason(() => kept[0].read(1))).toMatchObject({ code: "EAGAIN" });
		await task.exit();
		expect(await supervisor.process.exited).toMatchObject({ code: 0 });
		expect(`${kept[0].read(1)}`).toBe("");
		for (const [read] of [ends, kept]) read.close();
	});

	needs("/proc").test("Node that gets SIGKILL leaves nobody behind", async () => {
		const env = mark();
		const args = [fixturePath("core/supervise"), pid ? "pid" : "", daemons, env.NEARFAR_MARK ?? ""];
		const node = spawn(process.execPath, args, { stdio: "ignore" });
		await untilMarked(env, 5);
		node.kill("SIGKILL");
		await untilMarked(env, 0);
	});
});

needs("/proc").test("a supervisor that may not become what it has to be is refused, and serves on", async () => {
	await using task = await Task.clone();
	await using child = await task.clone();
	forbid(task, process.arch === "x64" ? 157 : 167, 1); // prctl, EPERM
	const before = task.run(() => readdirSync(`/proc/${task.pid}/fd`).length);
	expect(() => task.supervise(child.process)).toThrow(expect.objectContaining({ code: "EPERM", syscall: "prctl" }));
	expect([task.state, child.state]).toEqual(["live", "live"]);
	task.syscall(process.arch === "x64" ? 39 : 172); // getpid: the supervisor has closed everything before it replies
	expect(readdirSync(`/proc/${task.pid}/fd`).length).toBe(before);
});

test("a supervisor whose limit of open files lets it wait no more ends the program", async () => {
	const prlimit = process.arch === "x64" ? 302 : 261;
	const { supervisor, program } = await supervised("exec sleep 1003", {});
	Task.near.syscall(prlimit, supervisor.pid, 7, Buffer.alloc(16), 0); // RLIMIT_NOFILE: 0
	supervisor.process.kill("SIGCHLD"); // the supervisor wakes, and waits again
	expect(await program.exited).toMatchObject({ signal: "SIGKILL" });
	await supervisor.process.exited;
});

test("only a child of its own can be supervised, and nothing follows", async () => {
	await using supervisor = await Task.clone();
	await using stranger = await Task.clone();
	expect(await reason(() => supervisor.supervise(stranger.process))).toMatchObject({ code: "ECHILD" });
	expect(await reason(() => supervisor.supervise({} as never))).toMatchObject({ code: "ERR_INVALID_ARG_TYPE" });
	expect(await reason(() => Task.near.supervise(stranger.process))).toMatchObject({ code: "ERR_NEARFAR_NEAR" });
	await using sharer = await supervisor.clone({ share: ["files"] });
	const [read, write] = supervisor.run(() => pipe());
	expect(await reason(() => supervisor.supervise(stranger.process))).toMatchObject({ code: "ECHILD" });
	sharer.run(() => write.write("still shared"));
	for (const fd of [read, write]) supervisor.run(() => fd.close());
	const collected = () => supervisor.batch(() => supervisor.supervise(sharer.process));
	expect(await reason(collected)).toMatchObject({ code: "ERR_NEARFAR_BATCH" });
	const dead = await Task.clone();
	await dead.exit();
	expect(await reason(() => supervisor.supervise(dead.process))).toMatchObject({ code: "ECHILD", syscall: "waitid" });
	const fd = stranger.run(() => openat2("/dev/null"));
	const own = await supervisor.clone();
	const table = () => supervisor.supervise(own.process, { fds: [fd] });
	expect(await reason(table)).toMatchObject({ code: "ERR_NEARFAR_FD_TABLE_MISMATCH" });
	expect(await reason(() => supervisor.supervise(own.process, { fds: [3] as never }))).toMatchObject({
		code: "ERR_INVALID_ARG_TYPE",
	});
	await own.exit();
	const task = await supervisor.clone();
	supervisor.supervise(task.process);
	expect(await reason(() => supervisor.run(() => {}))).toMatchObject({ code: "ERR_NEARFAR_TASK_GONE" });
	expect(await reason(() => supervisor.clone())).toMatchObject({ code: "ERR_NEARFAR_TASK_GONE" });
	expect(await task.exit(3)).toMatchObject({ code: 3 });
	await supervisor.process.exited;
});

async function untilHandled(pid: number, signal: number): Promise<void> {
	const caught = () => BigInt(`0x${/SigCgt:\s*(\w+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]}`);
	while (((caught() >> BigInt(signal - 1)) & 1n) === 0n) await setImmediate();
}

describe("a process of the same user", () => {
	const own = needs("an ordinary user", "/proc");

	own.test.each([
		["cannot look into a supervisor", false, false],
		["can look into a supervisor that is dumpable", true, false],
		["cannot look into process 1", false, true],
		["can look into a process 1 that is dumpable", true, true],
	])("%s", async (_, dumpable, pid) => {
		const { supervisor, program } = await supervised("exec sleep 1000", mark(), { dumpable, pid });
		const look = () => readlinkSync(`/proc/${supervisor.process.pid}/ns/net`);
		if (dumpable) expect(look()).toMatch(/^net:/);
		else expect(look).toThrow("EACCES");
		await supervisor[Symbol.asyncDispose]();
		await program.exited;
	});
});
