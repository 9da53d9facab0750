import { describe, expect, test } from "vitest";
import { stat } from "../../../../test/processes.ts";
import { reason } from "../../../../test/reason.ts";
import { type ChildProcess, Task } from "../../src/index.ts";
import { visiblePid } from "../../src/internal.ts";

const sleeper = async () => (await Task.clone()).exec("/bin/sleep", ["sleep", "1000"]);
const command = { path: "/bin/sleep", argv: ["sleep", "1000"] };
const named = (child: ChildProcess) => expect.stringContaining(`process ${child.pid} (/bin/sleep)`);

describe("what was exec'd is named in", () => {
	test("ChildDeadError, of every method, with how it ended", async () => {
		const [child, other] = [await sleeper(), await sleeper()];
		await child[Symbol.asyncDispose]();
		const uses = {
			kill: () => child.kill(),
			killpg: () => child.killpg(),
			getpgid: () => child.getpgid(),
			setpgid: () => child.setpgid(),
			"setpgid of a group": () => child.setpgid(other),
			"setpgid into its group": () => other.setpgid(child),
			getpriority: () => child.getpriority(),
			setpriority: () => child.setpriority(5),
			visiblePid: () => visiblePid(child),
		};
		const state = { state: "killed", signal: "SIGKILL", code: null, pid: child.pid };
		for (const [name, use] of Object.entries(uses)) {
			const dead = { code: "ERR_NEARFAR_CHILD_DEAD", state, command, message: named(child) };
			expect(await reason(use), name).toMatchObject(dead);
		}
		await child.wait();
		for (const use of [() => child.wait(), () => child.wait({ stopped: true }), () => child.poll()]) {
			expect(await reason(use)).toMatchObject({
				code: "ERR_NEARFAR_CHILD_DEAD",
				state,
				command,
				message: named(child),
			});
		}
		expect(await reason(() => child.check())).toMatchObject({ name: "ExitError", command, message: named(child) });
		expect(await reason(() => child.fd)).toMatchObject({ code: "ERR_NEARFAR_CLOSED", message: named(child) });
		await other[Symbol.asyncDispose]();
	});

	test("ChildBusyError", async () => {
		await using child = await sleeper();
		const first = child.wait();
		expect(await reason(() => child.wait())).toMatchObject({
			code: "ERR_NEARFAR_CHILD_BUSY",
			command,
			message: named(child),
		});
		child.kill("SIGKILL");
		await first;
	});

	test("SyscallError", async () => {
		await using child = await sleeper();
		expect(await reason(() => child.setpgid())).toMatchObject({
			code: "EACCES",
			syscall: "setpgid",
			command,
			message: named(child),
		});
		expect(await reason(() => child.killpg(0))).toMatchObject({ code: "ESRCH", syscall: "kill", command });
	});

	test("TaskGoneError, also when the program has ended", async () => {
		const task = await Task.clone();
		const child = task.exec("/bin/sleep", ["sleep", "1000"]);
		const gone = { code: "ERR_NEARFAR_TASK_GONE", command, message: expect.stringContaining("/bin/sleep") };
		expect(await reason(() => task.run(() => 1))).toMatchObject(gone);
		expect(await reason(() => task.run(() => 1))).not.toHaveProperty("status");
		await child[Symbol.asyncDispose]();
		const status = { code: null, signal: "SIGKILL", dumped: false };
		expect(await reason(() => task.run(() => 1))).toMatchObject({ ...gone, status });
	});

	test("NamespaceMismatchError, and nothing was done", async () => {
		await using child = await sleeper();
		await using inside = await Task.clone({ namespaces: ["user", "pid"] });
		for (const use of [() => child.killpg("SIGKILL"), () => child.getpgid(), () => child.setpriority(3)]) {
			expect(await reason(() => inside.run(use))).toMatchObject({
				code: "ERR_NEARFAR_NAMESPACE_MISMATCH",
				message: named(child),
			});
		}
		expect(child.poll()).toBeUndefined();
	});
});

describe("setpgid", () => {
	test("moves into the group of another, though that is not its leader", async () => {
		await using leader = await Task.clone();
		await using member = await Task.clone();
		await using third = await Task.clone();
		leader.process.setpgid();
		member.process.setpgid(leader.process);
		third.process.setpgid(member.process);
		const group = (pid: number) => Number(/\) \S \d+ (\d+)/.exec(stat.line(pid))?.[1]);
		expect([leader, member, third].map(({ pid }) => group(pid))).toEqual([leader.pid, leader.pid, leader.pid]);
		third.process.setpgid();
		expect(group(third.pid)).toBe(third.pid);
		const wrong = await reason(() => third.process.setpgid(leader.pid as unknown as ChildProcess));
		expect(wrong).toMatchObject({ name: "TypeError", code: "ERR_INVALID_ARG_TYPE" });
	});
});

test("whatever is the current task, kill reaches the child and fd is Node's", async () => {
	const child = await sleeper();
	await using task = await Task.clone({ namespaces: ["user", "pid"] });
	const fd = task.run(() => child.fd);
	expect(fd.table).toBe(Task.near.fdTable);
	task.run(() => child.kill("SIGTERM"));
	expect(await child.exited).toMatchObject({ signal: "SIGTERM" });
	fd.close();
	expect(child.fd).toBe(fd);
});

test("fd, closed while it lives, is made again", async () => {
	await using child = await sleeper();
	const first = child.fd;
	first.close();
	using second = child.fd;
	expect([first.closed, second.closed, child.fd === second]).toEqual([true, false, true]);
});

test("disposed by two at once while a third waits: nobody is left out, and nothing is left", async () => {
	const child = await sleeper();
	const { fd } = child;
	const waiting = child.wait();
	const disposed = [child[Symbol.asyncDispose](), child[Symbol.asyncDispose]()];
	expect(await waiting).toMatchObject({ state: "killed", signal: "SIGKILL" });
	await Promise.all(disposed);
	expect([fd.closed, stat(child.pid), child.ref() === child, child.unref() === child]).toEqual([
		true,
		undefined,
		true,
		true,
	]);
});
