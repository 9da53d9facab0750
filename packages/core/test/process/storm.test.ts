import { setImmediate } from "node:timers/promises";
import { expect, test } from "vitest";
import { runFixture } from "../../../../test/fixture.ts";
import { stat } from "../../../../test/processes.ts";
import { openat2, pipe, Task } from "../../src/index.ts";

const getpid = process.arch === "x64" ? 39 : 172;

test("thousands of signals to Node while calls and waits are under way: each comes to what it would", async () => {
	const { report, code, stderr } = await runFixture("core/storm");
	expect([code, stderr]).toEqual([0, ""]);
	const { turns, heard, ...counts } = report;
	expect(heard).toBeGreaterThanOrEqual(2000);
	expect(counts).toEqual({ calls: turns, waits: turns, codes: turns, stops: turns, gone: turns });
});

test("thousands of signals to a task in the middle of calls, that its default does nothing for", async () => {
	await using task = await Task.clone();
	const harmless = ["SIGWINCH", "SIGURG", "SIGCHLD", "SIGCONT"] as const;
	for (let turn = 0; turn < 1000; turn++) {
		for (const signal of harmless) task.process.kill(signal);
		expect(task.syscall(getpid)).toBe(BigInt(task.pid));
		const batch = task.batch(() => [openat2("/dev/null"), pipe()] as const);
		for (const signal of harmless) task.process.kill(signal);
		const [file, ends] = await batch;
		for (const fd of [file, ...ends]) fd.close();
	}
	expect(task.process.poll()).toBeUndefined();
});

test("thousands of signals to a child, stops among them, while others wait for it", async () => {
	const task = await Task.clone();
	const [read, write] = pipe();
	const far = task.put(write);
	task.run(() => far.dupTo(1));
	const script = "trap : USR1; trap 'exit 9' TERM; echo; while :; do :; done";
	const child = task.exec("/bin/sh", ["sh", "-c", script]);
	read.read(1);
	const end = child.wait();
	const ends = [child.exited, child.wait({ nowait: true })];
	for (let turn = 0; turn < 100; turn++) {
		for (let more = 0; more < 20; more++) child.kill("SIGUSR1");
		const stopped = child.wait({ stopped: true });
		child.kill("SIGSTOP");
		expect(await stopped).toMatchObject({ state: "stopped", signal: "SIGSTOP" });
		const continued = child.wait({ continued: true });
		for (let more = 0; more < 20; more++) child.kill("SIGUSR1");
		child.kill("SIGCONT");
		expect(await continued).toMatchObject({ state: "continued", signal: "SIGCONT" });
	}
	while (stat(child.pid)?.state === "T") await setImmediate();
	child.kill("SIGTERM");
	expect(await end).toMatchObject({ state: "exited", code: 9 });
	for (const status of await Promise.all(ends)) expect(status).toMatchObject({ code: 9, signal: null });
	read.close();
	write.close();
});
