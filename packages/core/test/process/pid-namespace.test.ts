import { describe, expect, test } from "vitest";
import { has } from "../../../../test/needs.ts";
import { stat } from "../../../../test/processes.ts";
import { Process, pipe, Task } from "../../src/index.ts";

const [getpid, getppid, unshare] = process.arch === "x64" ? [39, 110, 272] : [172, 173, 97];
const NEWPID = 0x2000_0000;
const init = () => Task.clone({ namespaces: ["user", "pid"], idMap: "root" });
const killed = { code: null, signal: "SIGKILL", dumped: false };

describe("waiting in a pid namespace", () => {
	test("NST-17 its init ignores what comes from inside and SIGTERM; its SIGKILL ends every handle in it", async () => {
		await using first = await init();
		const others = await Promise.all([first.clone(), first.clone()]);
		const [one] = others;
		for (const signal of ["SIGTERM", "SIGKILL"] as const) one?.run(() => new Process(1).kill(signal));
		first.process.kill("SIGTERM");
		expect(first.syscall(getpid)).toBe(1n);
		expect(first.process.poll()).toBeUndefined();
		const ends = [first, ...others].map((task) => task.process.wait());
		first.process.kill("SIGKILL");
		const byKill = { state: "killed", signal: "SIGKILL" };
		const [own, ...inner] = await Promise.all(ends);
		expect(own).toMatchObject(byKill);
		// Before Linux 6.15 nothing keeps the status of a process that the kernel has reaped with its pid namespace.
		if (has("Linux 6.15")) for (const end of inner) expect(end).toMatchObject(byKill);
	});

	test("NST-18 an init with a handler for it gets SIGTERM from outside", async () => {
		const first = await init();
		const [read, write] = pipe();
		const far = first.put(write);
		first.run(() => far.dupTo(1));
		const child = first.exec("/bin/sh", [
			"sh",
			"-c",
			"trap 'exit 5' TERM; echo ready; while :; do sleep 1000 & wait; done",
		]);
		expect(`${read.read(5)}`).toBe("ready");
		child.kill("SIGTERM");
		expect(await child.wait()).toMatchObject({ state: "exited", code: 5 });
		read.close();
		write.close();
	});

	test("NST-21 an orphan is its init's child, and its status is known all the same", async () => {
		await using first = await init();
		const parent = await first.clone();
		const orphan = await parent.clone();
		expect(orphan.syscall(getppid)).toBe(parent.syscall(getpid));
		await parent[Symbol.asyncDispose]();
		expect([orphan.syscall(getppid), stat(orphan.pid)?.parent]).toEqual([1n, first.pid]);
		expect(await orphan.exit(6)).toEqual({ code: 6, signal: null, dumped: false });
	});

	test("NST-23 the program's status is kept, and what it left behind goes with init", async () => {
		const first = await init();
		const main = await first.clone();
		const [read, write] = pipe();
		const far = main.put(write);
		main.run(() => far.dupTo(1));
		const program = main.exec("/bin/sh", ["sh", "-c", "(sleep 1000 & echo) ; exit 9"]);
		write.close();
		read.read(1); // the daemon runs
		expect(await program.exited).toEqual({ code: 9, signal: null, dumped: false });
		expect(await first.exit(0)).toEqual({ code: 0, signal: null, dumped: false });
		expect(read.read(1)).toHaveLength(0); // no process has the other end
		read.close();
		expect(program.death).toMatchObject({ state: "exited", code: 9 });
	});

	test("those who were put into it from outside are reaped, and its init is not waited for in vain", async () => {
		await using outside = await Task.clone({ namespaces: ["user"] });
		outside.syscall(unshare, NEWPID);
		const first = await outside.clone();
		const injected = [await outside.clone(), await outside.clone()];
		expect([first, ...injected].map((task) => task.syscall(getpid))).toEqual([1n, 2n, 3n]);
		const ends = [first, ...injected].map((task) => task.process.exited);
		first.process.kill("SIGKILL");
		expect(await Promise.all(ends)).toEqual([killed, killed, killed]);
	});
});
