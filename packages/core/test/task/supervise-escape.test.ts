import { readdirSync, readFileSync, statSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { mark, marked, untilMarked } from "../../../../test/marked.ts";
import { needs } from "../../../../test/needs.ts";
import { reason } from "../../../../test/reason.ts";
import { mkdir, openat2, Task } from "../../src/index.ts";

const x64 = process.arch === "x64";
const [getpid, prctl, rtSigaction] = x64 ? [39, 157, 13] : [172, 167, 134];
const [mount, chroot] = x64 ? [165, 161] : [40, 51];
const MS_BIND = 0x1000;
const PR_SET_CHILD_SUBREAPER = 36;
const SIGCHLD = 17;

async function subreaper(): Promise<Task> {
	const supervisor = await Task.clone();
	supervisor.syscall(prctl, PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	return supervisor;
}

const daemons = "(setsid sh -c 'sleep 1000 & setsid sleep 1001 & sleep 1002' &) & ";

/** Supervises a shell that leaves three processes behind, and returns what is left of them after its end. */
async function leftBehind(supervisor: Task, task: Task): Promise<number[]> {
	const env = mark();
	supervisor.supervise(task.process);
	const program = task.exec("/bin/sh", ["sh", "-c", `${daemons} exec sleep 1003`], {
		env: { ...env, PATH: "/usr/bin:/bin" },
	});
	await untilMarked(env, 5);
	program.kill("SIGTERM");
	expect(await program.exited).toMatchObject({ signal: "SIGTERM" });
	await supervisor.process.exited;
	return marked(env);
}

test("behind a /proc of an outer pid namespace a supervisor kills what is left, and no process with the same number", async () => {
	await using first = await Task.clone({ namespaces: ["user", "pid"], idMap: "root" });
	await using supervisor = await first.clone();
	await using task = await supervisor.clone();
	// Inside, the stranger has the number that /proc shows for the program.
	await using stranger = await first.clone({ setTid: [task.pid] });
	expect(await leftBehind(supervisor, task)).toEqual([]);
	expect(stranger.syscall(getpid)).toBe(BigInt(task.pid));
	// Process 1 of a pid namespace needs no list of children.
	await using other = await first.clone();
	first.supervise(other.process);
	expect(await other.exit(3)).toMatchObject({ code: 3 });
});

needs("root").test.each([10, 3000])(
	"a task with %i groups kills what is left, behind a /proc of an outer pid namespace and behind its own",
	async (count) => {
		const groups = new Uint32Array(Array.from({ length: count }, (_, index) => 2_000_000_000 + index));
		const setgroups = x64 ? 116 : 159;
		await using first = await Task.clone({ namespaces: ["pid"] });
		for (const supervisor of [await first.clone(), await Task.clone()]) {
			supervisor.syscall(setgroups, count, new Uint8Array(groups.buffer));
			expect(await leftBehind(supervisor, await supervisor.clone())).toEqual([]);
		}
	},
);

describe("a list of children that cannot be trusted is refused, and the task is as it was:", () => {
	const text = (path: string) => Buffer.from(`${path}\0`);
	const mountProc = (task: Task, type: string) => task.syscall(mount, text(type), text("/proc"), text(type), 0, 0);
	const noProc = { code: "ENOENT", syscall: "openat", path: "/proc" };
	const noList = { code: "ENOENT", syscall: "openat2", path: "/proc/thread-self/children" };

	async function refusedAs(supervisor: Task, refusal: object): Promise<void> {
		await using task = await supervisor.clone();
		supervisor.syscall(getpid); // the task closes the descriptors of the previous message before this call
		const before = readdirSync(`/proc/${supervisor.pid}/fd`);
		expect(await reason(() => supervisor.supervise(task.process))).toMatchObject(refusal);
		expect(supervisor.state).toBe("live");
		supervisor.syscall(getpid);
		expect(readdirSync(`/proc/${supervisor.pid}/fd`)).toEqual(before);
		const blocked = /SigBlk:\s*(\w+)/.exec(readFileSync(`/proc/${supervisor.pid}/status`, "utf8"))?.[1];
		expect(Number(`0x${blocked}`)).toBe(0);
	}

	test("there is no /proc", async () => {
		await using supervisor = await Task.clone({ namespaces: ["user", "mnt"], idMap: "root" });
		mountProc(supervisor, "tmpfs");
		await refusedAs(supervisor, noProc);
		supervisor.syscall(chroot, text("/usr"));
		await refusedAs(supervisor, noProc);
	});

	test("the /proc is that of a pid namespace in which the task is not", async () => {
		await using supervisor = await Task.clone({ namespaces: ["user", "mnt"], idMap: "root" });
		await using inner = await supervisor.clone({ namespaces: ["pid"] });
		mountProc(inner, "proc");
		await refusedAs(supervisor, noList);
	});

	test("the /proc is a folder with a list that names a stranger", async () => {
		await using stranger = await Task.clone();
		await using supervisor = await Task.clone({ namespaces: ["user", "mnt"], idMap: "root" });
		mountProc(supervisor, "tmpfs");
		supervisor.run(() => {
			mkdir("/proc/thread-self");
			for (const [name, content] of [
				["children", `${stranger.pid} `],
				["status", `Name:\tx\nNSpid:\t${supervisor.pid}\n`],
			]) {
				using file = openat2(`/proc/thread-self/${name}`, { flags: ["wronly", "creat"], mode: 0o644 });
				file.write(`${content}`);
			}
		});
		await refusedAs(supervisor, noProc);
	});

	needs("a /proc of this pid namespace").test("the list is that of another process, mounted over its own", async () => {
		await using stranger = await Task.clone();
		await using supervisor = await Task.clone({ namespaces: ["user", "mnt"], idMap: "root" });
		const lists = [stranger, supervisor].map(({ pid }) => text(`/proc/${pid}/task/${pid}/children`));
		supervisor.syscall(mount, ...(lists as [Buffer, Buffer]), 0, MS_BIND, 0);
		await refusedAs(supervisor, { ...noList, code: "EXDEV" });
	});
});

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
