import { readdirSync, readFileSync, statSync } from "node:fs";
import { expect, test } from "vitest";
import { mark, marked, untilMarked } from "../../../../test/marked.ts";
import { needs } from "../../../../test/needs.ts";
import { reason } from "../../../../test/reason.ts";
import { Task } from "../../src/index.ts";

const x64 = process.arch === "x64";
const [getpid, prctl, rtSigaction] = x64 ? [39, 157, 13] : [172, 167, 134];
const PR_SET_CHILD_SUBREAPER = 36;
const SIGCHLD = 17;

async function subreaper(): Promise<Task> {
	const supervisor = await Task.clone();
	supervisor.syscall(prctl, PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	return supervisor;
}

test("a /proc of a pid namespace further out is refused, and the task is as it was", async () => {
	await using first = await Task.clone({ namespaces: ["user", "pid"] });
	await using supervisor = await first.clone();
	await using task = await supervisor.clone();
	supervisor.syscall(getpid); // the task closes the descriptors of the previous message before this call
	const before = readdirSync(`/proc/${supervisor.pid}/fd`);
	expect(await reason(() => supervisor.supervise(task.process))).toMatchObject({ code: "ENOENT" });
	expect(supervisor.state).toBe("live");
	supervisor.syscall(getpid);
	expect(readdirSync(`/proc/${supervisor.pid}/fd`)).toEqual(before);
	const blocked = /SigBlk:\s*(\w+)/.exec(readFileSync(`/proc/${supervisor.pid}/status`, "utf8"))?.[1];
	expect(Number(`0x${blocked}`)).toBe(0);
	// Process 1 of a pid namespace needs no subreaper.
	await using other = await first.clone();
	first.supervise(other.process);
	expect(await other.exit(3)).toMatchObject({ code: 3 });
});

needs("root").test.each([10, 3000])(
	"a task with %i groups is refused behind a /proc of an outer pid namespace, and accepted behind its own",
	async (count) => {
		const groups = new Uint32Array(Array.from({ length: count }, (_, index) => 2_000_000_000 + index));
		const setgroups = x64 ? 116 : 159;
		const supervise = async (supervisor: Task) => {
			supervisor.syscall(setgroups, count, new Uint8Array(groups.buffer));
			const task = await supervisor.clone();
			supervisor.supervise(task.process);
			return task.exit(3);
		};
		await using first = await Task.clone({ namespaces: ["pid"] });
		await using foreign = await first.clone();
		expect(await reason(() => supervise(foreign))).toMatchObject({ code: "ENOENT" });
		expect(foreign.state).toBe("live");
		await using own = await Task.clone();
		expect(await supervise(own)).toMatchObject({ code: 3 });
	},
);

test("a task that ignores SIGCHLD hears of its program's end all the same", async () => {
	const supervisor = await subreaper();
	const ignore = Buffer.alloc(32);
	ignore.writeBigUInt64LE(1n); // SIG_IGN
	supervisor.syscall(rtSigaction, SIGCHLD, ignore, 0, 8);
	const task = await supervisor.clone();
	supervisor.supervise(task.process);
	expect(await task.exec("/bin/sh", ["sh", "-c", "exit 3"]).exited).toMatchObject({ code: 3 });
	await supervisor.process.exited;
});

test("a supervisor that its program has stopped goes on when it is disposed", async () => {
	const env = mark();
	const supervisor = await subreaper();
	const task = await supervisor.clone();
	supervisor.supervise(task.process);
	const script = "(setsid sleep 1000 &); kill -STOP $PPID; exit 3";
	const program = task.exec("/bin/sh", ["sh", "-c", script], { env: { ...env, PATH: "/usr/bin:/bin" } });
	await untilMarked(env, 1);
	expect(await supervisor.process.wait({ stopped: true })).toMatchObject({ state: "stopped" });
	await supervisor[Symbol.asyncDispose]();
	expect(await program.exited).toMatchObject({ code: 3 });
	expect(marked(env)).toEqual([]);
});

test("a program that has its supervisor's descriptors begins without waiting for its end", async () => {
	const supervisor = await subreaper();
	const task = await supervisor.clone({ share: ["files"] });
	supervisor.supervise(task.process);
	const program = task.exec("/bin/sleep", ["sleep", "1000"]);
	expect(program.death).toBeUndefined();
	program.kill("SIGTERM");
	expect(await program.exited).toMatchObject({ signal: "SIGTERM" });
	await supervisor.process.exited;
});

needs("an ordinary user").test("no process of the same user may trace a supervisor", async () => {
	const supervisor = await subreaper();
	const task = await supervisor.clone();
	expect(statSync(`/proc/${supervisor.pid}/status`).uid).toBe(process.getuid?.());
	supervisor.supervise(task.process);
	expect(statSync(`/proc/${supervisor.pid}/status`).uid).toBe(0);
	await task.exit();
	await supervisor.process.exited;
});
