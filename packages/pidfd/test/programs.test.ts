import { expect, test } from "vitest";
import { runFixture } from "../../../test/fixture.ts";
import { needs, openFilesLimit } from "../../../test/needs.ts";

const fine = { code: 0, signal: null, stderr: "" };

test("a wait keeps the event loop alive, also when only its promise is held, and not after it was given up", async () => {
	const end = await runFixture("pidfd/alive", { node: ["--expose-gc"] });
	expect(end).toEqual({ ...fine, report: { status: { code: 8, signal: null, dumped: false } } });
});

// Before Linux 6.15 the status of a stranger is often not known after its parent has reaped it.
needs("Linux 6.15").test("up to 10 000 waits at once share one thread, and each is resolved", async () => {
	const count = Math.min(10_000, openFilesLimit() - 100);
	const end = await runFixture("pidfd/many", { args: [`${count}`] });
	expect(end).toEqual({ ...fine, report: { told: count, threads: 0 } });
});

test("in Workers", async () => {
	const end = await runFixture("pidfd/workers");
	expect(end).toEqual({ ...fine, report: { codes: [0, 0, 0, 0, 0], exit: [0, null] } });
});

needs("/proc", "the program unshare", "pid namespaces", "user namespaces").test(
	"the status of a zombie is found in a /proc that numbers the processes of an outer pid namespace",
	async () => {
		const end = await runFixture("pidfd/zombie", { wrapper: ["unshare", "--map-root-user", "--pid", "--fork"] });
		expect(end).toEqual({ ...fine, report: { pid: 1, status: { code: null, signal: "SIGKILL", dumped: false } } });
	},
);

// Before Linux 6.13 each wait reads the pid in /proc, and needs a descriptor for that.
needs("the program prlimit", "Linux 6.13").test(
	"no descriptor is left: EMFILE from what needs one more, every end is told, and no copy stays open",
	async () => {
		const end = await runFixture("pidfd/scarce", { wrapper: ["prlimit", "--nofile=64:64"] });
		const refused = (syscall: string) => ({ name: "SyscallError", code: "EMFILE", syscall });
		expect(end).toMatchObject({ ...fine, report: { ends: [0, 0, "SIGKILL", "SIGTERM", 0, 0, 0, "SIGKILL"] } });
		expect(end.report.left).toBeLessThanOrEqual(0); // some descriptors may have belonged to children that have ended since
		expect(end.report.refusals).toEqual({
			take: refused("fcntl"),
			borrowed: refused("fcntl"),
			open: refused("pidfd_open"),
			of: refused("pidfd_open"),
			self: refused("pidfd_open"),
			getFd: refused("pidfd_getfd"),
			namespace: refused("ioctl"),
			stop: refused("fcntl"),
			far: refused("recvmsg"),
		});
	},
);
