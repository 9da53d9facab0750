import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync } from "node:fs";
import { setImmediate } from "node:timers/promises";
import { Task } from "@nearfar/core";
import { expect, test } from "vitest";
import { descriptorsLeft, descriptorsOf } from "../../../test/descriptors.mjs";
import { has, needs } from "../../../test/needs.ts";
import { becomeOrdinary } from "../../../test/ordinary.ts";
import { PidFd } from "../src/index.ts";
import { end, stateOf, stranger } from "./children.ts";

/** True when the kernel remembers how a process ended after its parent has reaped it. Otherwise the parent may be faster than a look at the zombie. */
const keepsStatus = has("Linux 6.15");

needs("Linux 6.15").test("of a stranger: how it ended, as soon as its parent has reaped it", async () => {
	const other = await stranger(true);
	using pidfd = PidFd.open(other.pid);
	const both = Promise.all([pidfd.exited(), pidfd.exited()]);
	pidfd.sendSignal("SIGUSR2");
	const killed = { code: null, signal: "SIGUSR2", dumped: false };
	expect(await both).toEqual([killed, killed]);
	await other.exit;
	expect(stateOf(other.pid)).toBe("");
	expect(await pidfd.exited()).toEqual(killed); // the kernel remembers the status
	expect(() => pidfd.poll()).toThrow(expect.objectContaining({ code: "ECHILD" }));
});

needs("/proc").test("of a stranger that nobody reaps: what its zombie says", async () => {
	const other = await stranger(false);
	try {
		using pidfd = PidFd.open(other.pid);
		const exited = pidfd.exited();
		pidfd.sendSignal("SIGKILL");
		expect(await exited).toEqual({ code: null, signal: "SIGKILL", dumped: false });
		expect(stateOf(other.pid)).toBe("Z");
	} finally {
		await end(other);
	}
});

test("aborted before or meanwhile, it ends, and can be called again; nothing is left open", async () => {
	const other = await stranger(true);
	try {
		using pidfd = PidFd.open(other.pid);
		await pidfd.exited({ signal: AbortSignal.timeout(1) }).catch(() => {});
		const before = descriptorsOf(/pidfd/).length;
		for (let turn = 0; turn < 20; turn++) {
			const [why, controller] = [new Error("why"), new AbortController()];
			const waiting = pidfd.exited({ signal: controller.signal });
			const stays = turn % 2 ? pidfd.exited({ signal: AbortSignal.timeout(1) }) : undefined;
			controller.abort(why);
			await expect(waiting).rejects.toMatchObject({ code: "ABORT_ERR", cause: why });
			await expect(pidfd.exited({ signal: controller.signal })).rejects.toMatchObject({
				code: "ABORT_ERR",
				cause: why,
			});
			await stays?.catch((error) => expect(error.cause.name).toBe("TimeoutError"));
		}
		expect(await descriptorsLeft(/pidfd/, before)).toBe(0);
		expect(["R", "S", "D"]).toContain(stateOf(other.pid)); // it lives
	} finally {
		await end(other);
	}
});

test("closed, taken, or closed by its owner meanwhile: the wait goes on, and all are closed in the end", async () => {
	const other = await stranger(true);
	const before = descriptorsOf(/pidfd/).length;
	const [closed, taken, owner] = [PidFd.open(other.pid), PidFd.open(other.pid), PidFd.open(other.pid)];
	const borrowed = PidFd.borrow(owner.fd);
	const waits = Promise.all([closed, taken, borrowed].map((pidfd) => pidfd.exited()));
	closed.close();
	expect(closed.closed).toBe(true);
	closed.close();
	closeSync(taken.take());
	owner.close();
	process.kill(other.pid, "SIGTERM");
	const status = { code: null, signal: "SIGTERM", dumped: false };
	if (keepsStatus) expect(await waits).toEqual(Array(3).fill(status));
	else for (const seen of await waits) expect([status, undefined]).toContainEqual(seen);
	expect(await descriptorsLeft(/pidfd/, before)).toBe(0);
	await end(other);
});

test("in a task's table it is the same, also when the task ends first", async () => {
	const task = await Task.clone();
	const other = await stranger(true);
	const pidfd = task.run(() => PidFd.open(other.pid));
	const [before, meanwhile] = [pidfd.exited(), pidfd.exited({ signal: AbortSignal.timeout(1) })];
	await expect(meanwhile).rejects.toMatchObject({ code: "ABORT_ERR" });
	await task.exit();
	process.kill(other.pid, "SIGTERM");
	const status = { code: null, signal: "SIGTERM", dumped: false };
	expect(keepsStatus ? [status] : [status, undefined]).toContainEqual(await before);
	await end(other);
});

needs("the program python3").test("PFD-09 a process has ended with its last thread, not with its first", async () => {
	// A thread of Python goes on when the first one ends: pthread_exit(3).
	const program =
		"import ctypes,os,threading;threading.Thread(target=lambda:os.read(0,1) and os._exit(6)).start();ctypes.CDLL(None).pthread_exit(None)";
	const child = spawn("python3", ["-c", program], { stdio: ["pipe", "ignore", "ignore"] });
	const exit = once(child, "exit");
	using pidfd = PidFd.of(child);
	let ended = false;
	const exited = pidfd.exited().finally(() => {
		ended = true;
	});
	while (stateOf(child.pid ?? 0) !== "Z" && !ended) await setImmediate();
	expect([ended, pidfd.poll()]).toEqual([false, undefined]);
	child.stdin?.end("x");
	expect(await exited).toEqual({ code: 6, signal: null, dumped: false });
	expect(await exit).toEqual([6, null]);
});

test("of another user's process", async () => {
	await using task = await Task.clone();
	await using other = await Task.clone();
	becomeOrdinary(task);
	const pidfd = task.run(() => PidFd.open(other.process));
	const exited = pidfd.exited();
	await other.exit(3);
	expect(await exited).toEqual({ code: 3, signal: null, dumped: false });
});
