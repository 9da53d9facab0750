import { readdirSync, readlinkSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { runFixture } from "../../../../test/fixture.ts";
import { runFixtureIn } from "../../../../test/fixture-in-task.ts";
import { isRoot, type Need, needs } from "../../../../test/needs.ts";
import { ownProc } from "../../../../test/own-proc.ts";
import { forbid } from "../../../../test/seccomp.ts";
import { closeRange, openat2, Task } from "../../src/index.ts";

// The kernel does not apply a limit of processes to user 0. Another user may have no access to Node and to this tree.
const holding: Need[] = isRoot ? ["root", "the program setpriv"] : [];
const ids = ["--reuid=1000", "--regid=1000", "--clear-groups"];
const reading = ["--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"];
const held = isRoot ? ["setpriv", ...ids, ...reading] : [];
const few = ["prlimit", "--nofile=64:64"];

const works = { pid: true, code: 6, file: true, exit: { code: 2, signal: null, dumped: false } };

needs("the program prlimit").test.each(["descriptors", "first descriptors"])(
	"EMFILE at every step of a clone (%s), and nothing is left",
	async (what) => {
		const { report, code, stderr } = await runFixture("core/limits", {
			wrapper: few,
			args: [what],
		});
		expect([code, stderr]).toEqual([0, ""]);
		expect(report).toMatchObject({ code: 0, more: what === "descriptors" ? 0 : 1 }); // the zygote
		expect(report.refusals.length).toBeGreaterThan(3);
		for (const refused of report.refusals) expect(refused).toMatchObject({ name: "SyscallError", code: "EMFILE" });
	},
);

needs("the program prlimit").test(
	"EMFILE when Node is told of a task that was made, its own or a task's: nothing is left of it",
	async () => {
		const { report, code, stderr } = await runFixture("core/full-table", { wrapper: few });
		expect([code, stderr]).toEqual([0, ""]);
		const refused = { name: "SyscallError", code: "EMFILE", syscall: "recvmsg" };
		expect(report).toEqual([
			{ refused, left: 0 },
			{ refused, left: 0 },
		]);
	},
);

needs("the program prlimit").test(
	"a long call that ran is not refused where one descriptor is free, and a refused one has not run",
	async () => {
		const { report, code, stderr } = await runFixture("core/one-descriptor", { wrapper: few });
		expect([code, stderr]).toEqual([0, ""]);
		const none = { name: "SyscallError", code: "EMFILE", syscall: "memfd_create" };
		expect(report).toEqual({ none, length: 100_000 });
	},
);

needs(...holding).test("EAGAIN at a limit of processes, and nothing is left", async () => {
	const { report, code, stderr } = await runFixture("core/limits", { wrapper: held, args: ["processes"] });
	expect([code, stderr]).toEqual([0, ""]);
	expect(report).toMatchObject({ code: 0, more: 0 });
	expect(report.refusals).toHaveLength(2);
	for (const refused of report.refusals) expect(refused).toMatchObject({ name: "SyscallError", code: "EAGAIN" });
});

needs("the program prlimit").test(
	"no descriptor is left: stops and ends are heard all the same, of a task's child too",
	async () => {
		const { report, code, stderr } = await runFixture("core/scarce-waits", { wrapper: few });
		expect([code, stderr]).toEqual([0, ""]);
		const signals = ["SIGKILL", "SIGKILL", "SIGKILL"];
		expect(report).toMatchObject({
			fd: { name: "SyscallError", code: "EMFILE" },
			stop: "stopped",
			signals,
			state: "killed",
		});
	},
);

needs(...holding).test("no thread is allowed to wait for stops: EAGAIN each time, and later it is", async () => {
	const { report, code, stderr } = await runFixture("core/scarce-waits", { wrapper: held, args: ["threads"] });
	expect([code, stderr]).toEqual([0, ""]);
	const refused = expect.objectContaining({ name: "SyscallError", code: "EAGAIN" });
	expect(report).toEqual({ refusals: [refused, refused], stop: "stopped" });
});

needs(...holding).test("a reactor whose thread could not be started is started by a later call", async () => {
	const { report, code, stderr } = await runFixture("core/no-reactor", { wrapper: held });
	expect([code, stderr]).toEqual([0, ""]);
	const refused = { name: "SyscallError", code: "EAGAIN", syscall: "clone" };
	expect(report).toEqual({ refusals: [refused, refused], value: "5", exit: { code: 4, signal: null, dumped: false } });
});

test("a read with room for 2 GiB takes memory for what comes, and is refused where the room cannot be had", async () => {
	const { report, code, stderr } = await runFixture("core/large-read");
	expect([code, stderr]).toEqual([0, ""]);
	const few = { value: "few", much: false };
	const limited = { name: "SyscallError", code: "ENOMEM", syscall: "read" };
	expect(report).toEqual({ near: few, far: few, limited, farLimited: "few" });
});

test("writes and reads for which this process has no memory throw ENOMEM", async () => {
	const { report, code, stderr } = await runFixture("core/large-write");
	expect([code, stderr]).toEqual([0, ""]);
	const refused = (syscall: string) => ({ name: "SyscallError", code: "ENOMEM", syscall });
	const [write, syscall] = [refused("write"), refused("syscall")];
	const writes = { write, farWrite: write, syscall, farSyscall: syscall };
	expect(report).toEqual({ ...writes, read: true, farRead: refused("pread64"), works: 5 });
});

test("Node's stdio closed: a task has /dev/null, and none of Node's other descriptors in its place", async () => {
	const { report, code } = await runFixture("core/stdio");
	const empty = ["/dev/null", "/dev/null", "/dev/null"];
	expect(code).toBe(0);
	expect(report).toMatchObject({ stdio: [empty, empty], code: 3, pair: 2 });
});

needs("sysctls that can be written").test("user namespaces disabled: ENOSPC, and tasks without one work", async () => {
	const task = await Task.clone({ namespaces: ["user"], idMap: "root" });
	task.run(() => {
		using limit = openat2(`${ownProc}/sys/user/max_user_namespaces`, { flags: ["wronly"] });
		limit.write("0");
	});
	const { report, code } = await runFixtureIn(task, "core/works");
	expect(code).toBe(0);
	expect(report).toMatchObject({ ...works, user: { code: "ENOSPC", syscall: "clone3" } });
});

describe("what a container forbids", () => {
	needs("/proc").test("clone3 unknown (ENOSYS): clone takes its place", async () => {
		const task = await Task.clone();
		forbid(task, 435, 38);
		const { report, code } = await runFixtureIn(task, "core/works");
		expect(code).toBe(0);
		expect(report).toMatchObject(works);
		expect(report.user).toBeUndefined();
	});

	needs("/proc").test.each([
		["memfd_create", process.arch === "x64" ? 319 : 279],
		["execveat", process.arch === "x64" ? 322 : 281],
	])("%s refused (EPERM): the stub starts from its file", async (_, nr) => {
		const task = await Task.clone();
		forbid(task, nr, 1);
		const { report, code } = await runFixtureIn(task, "core/works");
		expect(code).toBe(0);
		expect(report).toMatchObject({ ...works, stub: expect.stringMatching(/nearfar-stub$/) });
	});

	needs("/proc", "root", "vm.memfd_noexec").test(
		"vm.memfd_noexec=2 in a pid namespace: the stub starts from its file",
		async () => {
			const task = await Task.clone({ namespaces: ["pid"] });
			task.run(() => {
				using noexec = openat2(`${ownProc}/sys/vm/memfd_noexec`, { flags: ["wronly"] });
				noexec.write("2");
			});
			const { report, code } = await runFixtureIn(task, "core/works");
			expect(code).toBe(0);
			expect(report).toMatchObject({ ...works, stub: expect.stringMatching(/nearfar-stub$/) });
		},
	);
});

describe("a task that may have few descriptors", () => {
	test("is given them under the numbers of choice, also where they come under those", async () => {
		await using task = await withFewDescriptors();
		using zero = openat2("/dev/zero");
		for (const number of [3, 4, 49]) {
			using there = task.put(zero, { number });
			expect([there.fd, readlinkSync(`/proc/${task.pid}/fd/${number}`)]).toEqual([number, "/dev/zero"]);
		}
		const both = await task.batch(() => [task.put(zero, { number: 4 }), task.put(zero, { number: 3 })]);
		expect(both.map(({ fd }) => fd)).toEqual([4, 3]);
		expect(both.map((fd) => task.run(() => fd.read(1)).length)).toEqual([1, 1]);
		for (const fd of both) fd.close();
		expect(readdirSync(`/proc/${task.pid}/fd`)).toEqual(["0", "1", "2", `${task.channelFd}`]);
	});

	test("and has closed its stdio clones another that keeps its channel off those", async () => {
		await using task = await withFewDescriptors();
		task.run(() => closeRange(0, 2));
		await using child = await task.clone();
		expect(child.channelFd).toBeGreaterThan(2);
		expect(child.run(() => openat2("/dev/zero").take())).toBeGreaterThan(2);
	});
});

async function withFewDescriptors(): Promise<Task> {
	const task = await Task.clone();
	const [prlimit, RLIMIT_NOFILE] = [process.arch === "x64" ? 302 : 261, 7];
	task.syscall(prlimit, 0, RLIMIT_NOFILE, new Uint8Array(new BigUint64Array([50n, 50n]).buffer), 0);
	return task;
}

test("a process whose reactor has lost its epoll ends with SIGABRT", async () => {
	const wrapper = ["sh", "-c", 'ulimit -c 0; exec "$@"', "sh"];
	const { signal, report, stderr } = await runFixture("core/lost-epoll", { wrapper });
	expect({ signal, report }).toEqual({ signal: "SIGABRT", report: undefined });
	expect(stderr).toContain("epoll");
});
