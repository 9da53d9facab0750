import { spawn } from "node:child_process";
import { getPriority } from "node:os";
import { expect, test } from "vitest";
import { needs } from "../../../../test/needs.ts";
import { stat } from "../../../../test/processes.ts";
import { reason } from "../../../../test/reason.ts";
import { openat2, Process, Task } from "../../src/index.ts";

const sleeper = async () => (await Task.clone()).exec("/bin/sleep", ["sleep", "1000"]);
const dead = expect.objectContaining({ name: "ChildDeadError", code: "ERR_NEARFAR_CHILD_DEAD" });

test("after death whatever needs a process throws ChildDeadError", async () => {
	const child = await sleeper();
	await child[Symbol.asyncDispose]();
	const uses = [
		() => child.kill(),
		() => child.kill(0),
		() => child.killpg("SIGKILL"),
		() => child.getpgid(),
		() => child.setpgid(),
		() => child.getpriority(),
		() => child.setpriority(5),
	];
	for (const use of uses) expect(use).toThrow(dead);
	expect(await reason(() => child.kill())).toMatchObject({
		state: { state: "killed", signal: "SIGKILL", pid: child.pid },
	});
});

test("kill says so when it has died and nobody was told yet", async () => {
	const child = await sleeper();
	process.kill(child.pid, "SIGKILL");
	while (stat(child.pid)); // until another thread has reaped the process
	expect(() => child.kill()).toThrow(dead);
	expect(await child.exited).toMatchObject({ signal: "SIGKILL" });
});

test("kill sends SIGTERM, and 0 only checks", async () => {
	const child = await sleeper();
	child.kill(0);
	child.kill();
	expect(await child.exited).toMatchObject({ signal: "SIGTERM" });
});

test("setpgid before exec: its own group, and another child's; killpg reaches both", async () => {
	const [leader, member] = [await Task.clone(), await Task.clone()];
	leader.process.setpgid();
	member.process.setpgid(leader.process);
	expect([leader.process.getpgid(), member.process.getpgid()]).toEqual([leader.pid, leader.pid]);
	for (const task of [leader, member]) task.exec("/bin/sleep", ["sleep", "1000"]);
	expect(() => member.process.setpgid()).toThrow(expect.objectContaining({ code: "EACCES", syscall: "setpgid" }));
	leader.process.killpg("SIGINT");
	for (const task of [leader, member]) expect(await task.process.exited).toMatchObject({ signal: "SIGINT" });
	expect(() => new Process(leader.pid).killpg(0)).toThrow(expect.objectContaining({ code: "ESRCH", syscall: "kill" }));
});

test("priorities, up and down", async () => {
	await using child = await sleeper();
	expect(child.getpriority()).toBe(getPriority());
	child.setpriority(7);
	expect([child.getpriority(), getPriority(child.pid)]).toEqual([7, 7]);
	child.setpriority(19);
	expect(new Process(child.pid).getpriority()).toBe(19);
});

needs("an ordinary user").test("a lower nice value is EACCES", async () => {
	await using child = await sleeper();
	expect(() => child.setpriority(-1)).toThrow(expect.objectContaining({ code: "EACCES", syscall: "setpriority" }));
	expect(() => new Process(1).kill(0)).toThrow(expect.objectContaining({ code: "EPERM", syscall: "kill" }));
});

test("any process: a pid nobody has is ESRCH", async () => {
	const nobody = new Process(2 ** 22 + 1);
	for (const use of [
		() => nobody.kill(),
		() => nobody.getpgid(),
		() => nobody.getpriority(),
		() => nobody.setpriority(1),
	]) {
		expect(use).toThrow(expect.objectContaining({ code: "ESRCH" }));
	}
	expect(new Process(process.pid).getpgid()).toBeGreaterThanOrEqual(0);
	new Process(process.pid).kill(0);
});

test("a pid of one namespace is refused in a task of another", async () => {
	await using inside = await Task.clone({ namespaces: ["user", "pid"] });
	const mismatch = expect.objectContaining({ name: "NamespaceMismatchError", code: "ERR_NEARFAR_NAMESPACE_MISMATCH" });
	const here = new Process(process.pid);
	expect(() => inside.run(() => here.kill(0))).toThrow(mismatch);
	const init = inside.run(() => new Process(1));
	expect([init.namespace === inside.pidNamespace, here.namespace === Task.near.pidNamespace]).toEqual([true, true]);
	inside.run(() => init.kill(0));
	expect(() => init.kill(0)).toThrow(mismatch);
	expect(() => inside.run(() => init.killpg(0))).toThrow(RangeError);
	expect(() => init.killpg(0)).toThrow(mismatch);
});

test("beside 50 children of node:child_process none loses its status", async () => {
	const nodes = Array.from({ length: 50 }, (_, index) => {
		const child = spawn("/bin/sh", ["-c", `exit ${index}`], { stdio: "ignore" });
		return new Promise((resolve) => child.once("exit", resolve));
	});
	const ours = Array.from({ length: 50 }, async (_, index) => {
		const task = await Task.clone();
		return (await task.exec("/bin/sh", ["sh", "-c", `exit ${index + 100}`]).exited).code;
	});
	expect(await Promise.all(nodes)).toEqual(Array.from({ length: 50 }, (_, index) => index));
	expect(await Promise.all(ours)).toEqual(Array.from({ length: 50 }, (_, index) => index + 100));
});

test("a process of the task's own namespace is signalled from there", async () => {
	await using task = await Task.clone();
	const child = await sleeper();
	task.run(() => new Process(child.pid).kill("SIGUSR1"));
	expect(await child.exited).toMatchObject({ signal: "SIGUSR1" });
	using file = task.run(() => openat2("/dev/null"));
	expect(file.table).toBe(task.fdTable);
});
