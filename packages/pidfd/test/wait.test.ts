import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import { type ChildState, Process, Task } from "@nearfar/core";
import { describe, expect, test } from "vitest";
import { has, needs } from "../../../test/needs.ts";
import { PidFd } from "../src/index.ts";
import { stateOf } from "./children.ts";

const [PTRACE, ATTACH, DETACH] = [process.arch === "arm64" ? 117 : 101, 16, 17];

// Children of node:child_process, opened by their pids. nearfar does not know them. Before Linux 6.15 the kernel does not keep how a child
// has ended that Node's event loop has reaped first: only a descriptor that `PidFd.of` has opened learns the end then.
const keepsStatus = has("Linux 6.15");

describe("a child of Node's own", () => {
	const start = (script: string) => {
		const child = spawn("sh", ["-c", script], { stdio: ["pipe", "ignore", "ignore"] });
		return { child, exit: once(child, "exit"), pid: child.pid ?? 0 };
	};

	needs("Linux 6.15").test.each([
		["WID-01", "exit 123", "exited", 123, null],
		["WID-07", "kill -KILL $$", "killed", null, "SIGKILL"],
		["real-time signal:", "kill -40 $$", "killed", null, 40],
		["WID-08 without a core:", "ulimit -c 0; kill -FPE $$", "killed", null, "SIGFPE"],
	])("%s %s is told to everybody, and to Node", async (_, script, state, code, signal) => {
		const { child, exit, pid } = start(`read x; ${script}`);
		using pidfd = PidFd.open(pid);
		using other = PidFd.open(pid, { nonblocking: true });
		expect([pidfd.poll(), other.poll()]).toEqual([undefined, undefined]);
		const nowait = true;
		const all = Promise.all([pidfd.wait({ nowait }), pidfd.wait({ nowait }), other.wait({ nowait })]);
		child.stdin?.end("\n");
		const seen = { state, code, signal, pid, uid: process.getuid?.() };
		expect(await all).toEqual(Array(3).fill(seen));
		expect(other.poll()).toEqual(seen);
		expect(await pidfd.wait()).toEqual(seen);
		// Node has no name for a real-time signal.
		expect(await exit).toEqual([code ?? (signal === 40 ? 0 : null), signal === 40 ? null : signal]);
	});

	test("WID-08 with a core, where the limit and the machine's core_pattern allow one: all say the same", async () => {
		const cwd = mkdtempSync(join(tmpdir(), "nearfar-core-"));
		const script = "read x; ulimit -S -c $(ulimit -H -c); kill -FPE $$";
		const child = spawn("sh", ["-c", script], { cwd, stdio: ["pipe", "ignore", "ignore"] });
		const exit = once(child, "exit");
		using pidfd = PidFd.of(child);
		const all = Promise.all([pidfd.wait(), pidfd.exited()]);
		child.stdin.end("\n");
		const [state, status] = await all;
		expect(state).toMatchObject({ state: expect.stringMatching(/^(killed|dumped)$/), code: null, signal: "SIGFPE" });
		const dumped = state.state === "dumped";
		expect(status).toEqual({ code: null, signal: "SIGFPE", dumped });
		expect(await exit).toEqual([null, "SIGFPE"]);
		expect(await pidfd.exited()).toEqual(status);
		rmSync(cwd, { recursive: true });
	});

	test("WID-06 stops and continuations are told to all who wait for them", async () => {
		const { child, exit, pid } = start("read x");
		using pidfd = PidFd.open(pid, { nonblocking: true });
		using other = PidFd.open(pid);
		const both = Promise.all([
			pidfd.wait({ stopped: true, nowait: true }),
			pidfd.wait({ stopped: true }),
			other.wait({ stopped: true }),
		]);
		pidfd.sendSignal("SIGSTOP");
		expect(await both).toEqual(Array(3).fill(expect.objectContaining({ state: "stopped", signal: "SIGSTOP", pid })));
		expect(pidfd.poll({ stopped: true, continued: true })).toBeUndefined();
		pidfd.sendSignal("SIGCONT");
		expect(await other.wait({ continued: true })).toMatchObject({ state: "continued", signal: "SIGCONT" });
		expect(pidfd.poll({ exited: true, stopped: true })).toBeUndefined();
		using known = PidFd.of(child);
		const last = (keepsStatus ? other : known).wait({ stopped: true }); // a death also ends this wait
		child.kill("SIGKILL");
		expect(await last).toMatchObject({ state: "killed", signal: "SIGKILL" });
		expect(await exit).toEqual([null, "SIGKILL"]);
	});

	test("a wait that would reap a living child is refused, and Node sees the end", async () => {
		const { child, exit, pid } = start("read x; exit 6");
		using number = PidFd.open(pid);
		using object = PidFd.open(new Process(pid));
		using copy = number.dup();
		using lent = PidFd.borrow(number.fd);
		const busy = { name: "ChildBusyError", code: "ERR_NEARFAR_CHILD_BUSY" };
		for (const pidfd of [number, object, copy, lent]) {
			await expect(pidfd.wait()).rejects.toMatchObject(busy);
			await expect(pidfd.wait({ exited: true, stopped: true })).rejects.toMatchObject(busy);
			expect(pidfd.poll()).toBeUndefined();
		}
		using of = PidFd.of(child);
		const waits = [of.wait(), ...(keepsStatus ? [number.wait({ nowait: true }), object.exited()] : [])];
		child.stdin?.end("\n");
		expect(new Set((await Promise.all(waits)).map((end) => end?.code))).toEqual(new Set([6]));
		expect(await exit).toEqual([6, null]);
	});

	test("an aborted wait ends, and takes nothing away", async () => {
		const { child, exit, pid } = start("read x");
		using pidfd = keepsStatus ? PidFd.open(pid) : PidFd.of(child);
		for (const options of [{ nowait: true }, { stopped: true }]) {
			const [why, controller] = [new Error("why"), new AbortController()];
			await expect(pidfd.wait({ ...options, signal: AbortSignal.abort(why) })).rejects.toMatchObject({
				code: "ABORT_ERR",
				cause: why,
			});
			const waiting = pidfd.wait({ ...options, signal: controller.signal });
			controller.abort(why);
			await expect(waiting).rejects.toMatchObject({ code: "ABORT_ERR", cause: why });
		}
		const waiting = pidfd.wait({ nowait: true });
		pidfd.close(); // the wait goes on
		child.stdin?.end("\n");
		expect(await waiting).toMatchObject({ state: "exited", code: 0 });
		await exit;
	});
});

test("WID-03 WID-01 in the task whose child it is", async () => {
	await using parent = await Task.clone();
	const child = await parent.clone();
	const pidfd = parent.run(() => PidFd.open(child.pid));
	expect(parent.run(() => pidfd.poll())).toBeUndefined();
	const [first, second] = [pidfd.wait(), pidfd.wait()];
	await child.exit(5);
	for (const state of [await first, await second]) {
		expect(state).toMatchObject({ state: "exited", code: 5, pid: child.pid });
	}
	expect(parent.run(() => pidfd.poll())).toMatchObject({ code: 5 });
	expect(await pidfd.wait()).toMatchObject({ code: 5 });
	expect(() => pidfd.poll()).toThrow(expect.objectContaining({ code: "ERR_NEARFAR_FD_TABLE_MISMATCH" }));
});

test("trapped: what a tracer sees of its child; stops of a task's child are polled for", async () => {
	await using tracer = await Task.clone();
	await using child = await tracer.clone();
	const pidfd = tracer.run(() => PidFd.open(child.process));
	tracer.syscall(PTRACE, ATTACH, child.pid, 0, 0);
	expect(await polled(() => tracer.run(() => pidfd.poll({ stopped: true })))).toMatchObject({
		state: "trapped",
		signal: "SIGSTOP",
	});
	expect(tracer.run(() => pidfd.poll({ stopped: true, nowait: true }))).toBeUndefined();
	await expect(pidfd.wait({ stopped: true })).rejects.toMatchObject({ code: "ECHILD", syscall: "waitid" });
	tracer.syscall(PTRACE, DETACH, child.pid, 0, 0);
});

async function polled(poll: () => ChildState | undefined): Promise<ChildState> {
	for (;;) {
		const state = poll();
		if (state) return state;
		await setImmediate();
	}
}

test("a stop of one that has ended: ChildDeadError, also while nobody has reaped it", async () => {
	const child = spawn("sh", ["-c", "exit 4"], { stdio: "ignore" });
	using pidfd = PidFd.of(child);
	using number = PidFd.open(child.pid as number);
	while (stateOf(child.pid as number) !== "Z"); // in this turn, so that Node's event loop does not reap the child
	const dead = expect.objectContaining({ name: "ChildDeadError", state: expect.objectContaining({ code: 4 }) });
	expect(() => pidfd.poll({ stopped: true })).toThrow(dead);
	expect(() => number.poll({ continued: true })).toThrow(dead);
	await expect(pidfd.wait({ stopped: true })).rejects.toThrow(dead);
	await once(child, "exit");
	await expect(number.wait({ stopped: true })).rejects.toThrow(dead);
	expect(await pidfd.wait()).toMatchObject({ state: "exited", code: 4 });
});

test("a copy knows what the first one knew, and a number of another pid namespace whose child it is", async () => {
	const first = await Task.clone();
	using pidfd = PidFd.open(first.process); // the program may end before it is opened by pid
	using copy = pidfd.dup();
	await first.exec("sh", ["sh", "-c", "exit 4"]).exited;
	expect([(await pidfd.wait()).code, (await copy.wait()).code]).toEqual([4, 4]);
	await using inner = await Task.clone({ namespaces: ["user", "pid"] });
	const task = await inner.clone();
	const number = inner.run(() => PidFd.open(2));
	const ended = number.exited(); // a first wait after the reaping gets no status, as for any other process
	const program = task.exec("sh", ["sh", "-c", "exit 7"]);
	await Promise.all([ended, program.exited]);
	expect([(await number.wait()).code, inner.run(() => number.poll())?.code]).toEqual([7, 7]);
	inner.run(() => number.close());
});
