import { Task } from "@nearfar/core";
import { expect, test } from "vitest";
import { runFixture } from "../../../test/fixture.ts";
import { runFixtureIn } from "../../../test/fixture-in-task.ts";
import { has, needs, openFilesLimit } from "../../../test/needs.ts";
import { forbid } from "../../../test/seccomp.ts";

const [SYS_ioctl, SYS_prlimit64] = process.arch === "arm64" ? [29, 261] : [16, 302];
const RLIMIT_NOFILE = 7;
const PIDFD_GET_INFO = 0xc040_ff0b;

/** The errors by which a kernel refuses PIDFD_GET_INFO. */
const beforeLinux613: [string, number][] = [
	["before Linux 6.11", 25], // ENOTTY
	["before Linux 6.13", 22], // EINVAL: Linux 6.11 and 6.12 know other requests of a pidfd
];

const fine = { code: 0, signal: null, stderr: "" };

test("a wait keeps the event loop alive, also when only its promise is held, and not after it was given up", async () => {
	const end = await runFixture("pidfd/alive", { node: ["--expose-gc"] });
	expect(end).toEqual({ ...fine, report: { status: { code: 8, signal: null, dumped: false } } });
});

test("up to 10 000 waits at once share one thread, and each is resolved", async () => {
	const count = Math.min(10_000, openFilesLimit() - 100);
	const end = await runFixture("pidfd/many", { args: [`${count}`] });
	expect(end).toEqual({ ...fine, report: { ends: count, kinds: expect.anything(), threads: 0 } });
	// Before Linux 6.15 nothing keeps the status of a stranger that its parent has reaped.
	if (has("Linux 6.15")) expect(end.report.kinds).toEqual(["SIGTERM"]);
});

test.each(beforeLinux613)(
	"%s, too, 10 000 waits are resolved, although the status of none is kept",
	async (_, errno) => {
		const task = await Task.clone();
		forbid(task, SYS_ioctl, errno, PIDFD_GET_INFO, 1);
		const count = Math.min(10_000, openFilesLimit() - 100);
		const { report } = await runFixtureIn(task, "pidfd/many", `${count}`);
		expect(report).toMatchObject({ ends: count, threads: 0 });
	},
);

test("in Workers", async () => {
	const end = await runFixture("pidfd/workers");
	expect(end).toEqual({ ...fine, report: { signals: Array(5).fill("SIGTERM"), exit: [null, "SIGTERM"] } });
});

needs("/proc", "the program unshare", "pid namespaces", "user namespaces").test(
	"the status of a zombie is found in a /proc that numbers the processes of an outer pid namespace",
	async () => {
		const end = await runFixture("pidfd/zombie", { wrapper: ["unshare", "--map-root-user", "--pid", "--fork"] });
		expect(end).toEqual({ ...fine, report: { pid: 1, status: { code: null, signal: "SIGKILL", dumped: false } } });
	},
);

needs("Linux 6.13").test(
	"no descriptor is left: EMFILE from what needs one more, every end is told, and no copy stays open",
	async () => {
		const report = await endsWithoutDescriptors();
		expect(report.refusals).toEqual(refusedWithoutDescriptors);
		expect(report.ends).toEqual([0, 0, "SIGKILL", "SIGTERM", 0, 0, 0, "SIGKILL", "SIGKILL"]);
	},
);

needs("/proc").test.each(beforeLinux613)(
	"no descriptor is left %s: EMFILE from what reads a pid in /proc, and a later wait finds the child",
	async (_, errno) => {
		const { refusals, ends } = await endsWithoutDescriptors(errno);
		const pid = refused("pidfd_open"); // of Node, of which nearfar asks first whether the kernel tells the pid
		expect(refusals).toEqual({ ...refusedWithoutDescriptors, adopted: pid, wait: pid, nowait: pid, stop: pid });
		// The status of a process that its parent has reaped is not kept, unless nearfar or the runtime keeps it.
		const maybe = (known: unknown) => expect.toBeOneOf([known, "unknown"]);
		expect(ends).toEqual([0, maybe(0), "SIGKILL", maybe("SIGTERM"), maybe(0), "SIGKILL", "SIGKILL"]);
	},
);

const refused = (syscall: string) => ({ name: "SyscallError", code: "EMFILE", syscall });
const refusedWithoutDescriptors = {
	take: refused("fcntl"),
	borrowed: refused("fcntl"),
	open: refused("pidfd_open"),
	of: refused("pidfd_open"),
	self: refused("pidfd_open"),
	getFd: refused("pidfd_getfd"),
	namespace: refused(has("Linux 6.11") ? "ioctl" : "openat2"),
	stop: refused("fcntl"),
	far: refused("recvmsg"),
};

/**
 * Runs the program that uses up its descriptors. With an error number the kernel does not tell the pid of a pidfd, as before Linux
 * 6.13.
 */
async function endsWithoutDescriptors(errno?: number) {
	const task = await Task.clone();
	task.syscall(SYS_prlimit64, 0, RLIMIT_NOFILE, Buffer.from(new BigUint64Array([64n, 64n]).buffer), 0);
	if (errno) forbid(task, SYS_ioctl, errno, PIDFD_GET_INFO, 1);
	const end = await runFixtureIn(task, "pidfd/scarce", ...(errno ? ["/proc"] : []));
	expect(end).toMatchObject({ code: 0, signal: null });
	expect(end.report.left).toBeLessThanOrEqual(0); // some descriptors may have belonged to children that have ended since
	return end.report;
}
