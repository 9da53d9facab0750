import { readdirSync, readlinkSync } from "node:fs";
import { ChildBusyError, Task } from "@nearfar/core";
import { expect, test } from "vitest";
import { PidFd } from "../src/index.ts";

const sleep = async () => (await Task.clone()).exec("sleep", ["sleep", "1000"]);

test("a child of nearfar's: its status is shared, however the descriptor was made", async () => {
	const child = await sleep();
	using fd = child.fd;
	using byObject = PidFd.of(child);
	using byPid = PidFd.open(child.pid);
	using copied = PidFd.from(fd.dup().take());
	using borrowed = PidFd.borrow(fd.fd);
	const all = [byObject, byPid, copied, borrowed];
	for (const pidfd of all) expect(pidfd.poll()).toBeUndefined();
	const waits = all.flatMap((pidfd) => [pidfd.wait(), pidfd.wait({ nowait: true })]);
	const exits = all.map((pidfd) => pidfd.exited());
	const own = child.wait(); // not ChildBusyError, because the other waits take no state
	await expect(child.wait()).rejects.toThrow(ChildBusyError);
	child.kill("SIGUSR1");
	const seen = expect.objectContaining({ state: "killed", signal: "SIGUSR1", pid: child.pid });
	expect(await Promise.all([own, ...waits])).toEqual(Array(9).fill(seen));
	expect(await Promise.all(exits)).toEqual(Array(4).fill(await child.exited));
	for (const pidfd of all) expect([pidfd.poll(), await pidfd.wait()]).toEqual([seen, seen]);
});

test("its stops are told there and here, and a wait for both leaves neither behind", async () => {
	await using child = await sleep();
	using pidfd = PidFd.open(child);
	const waiting = pidfd.wait({ exited: true, stopped: true });
	pidfd.sendSignal("SIGSTOP");
	expect(await waiting).toMatchObject({ state: "stopped", signal: "SIGSTOP" });
	expect(pidfd.poll({ stopped: true })).toBeUndefined();
	pidfd.sendSignal("SIGCONT");
	expect(await pidfd.wait({ continued: true })).toMatchObject({ state: "continued" });
	expect(child.poll({ continued: true })).toBeUndefined();
});

test("aborted, the wait ends and the child goes on", async () => {
	await using child = await sleep();
	using pidfd = PidFd.open(child);
	for (const wait of [pidfd.wait.bind(pidfd), pidfd.exited.bind(pidfd)]) {
		const controller = new AbortController();
		const waiting = wait({ signal: controller.signal });
		controller.abort();
		await expect(waiting).rejects.toMatchObject({ name: "AbortError" });
	}
	expect(child.poll()).toBeUndefined();
});

test("a grandchild of nearfar's is waited for here through its parent", async () => {
	await using parent = await Task.clone();
	const child = await parent.clone();
	using pidfd = PidFd.open(child.process);
	const waits = Promise.all([pidfd.wait(), pidfd.exited()]);
	await child.exit(9);
	expect(await waits).toMatchObject([{ state: "exited", code: 9 }, { code: 9 }]);
});

test.each(["before", "after"])(
	"in a table that tasks share, it is waited for %s the first of them has ended",
	async (when) => {
		const first = await Task.clone();
		await using second = await first.clone({ share: ["files"] });
		const program = await second.clone();
		using pidfd = second.run(() => PidFd.open(program.process));
		using other = first.run(() => PidFd.open(second.process));
		for (const task of [first, second]) {
			for (const fd of [pidfd, other]) expect(task.run(() => fd.poll())).toBeUndefined();
		}
		if (when === "after") await first.exit();
		const waits = [pidfd.wait(), pidfd.exited()];
		if (when === "before") await first.exit();
		await program.exit(9);
		expect(await Promise.all(waits)).toMatchObject([{ state: "exited", code: 9 }, { code: 9 }]);
		expect(second.run(() => pidfd.poll())).toMatchObject({ state: "exited", code: 9 });
		// The task also gets one for the call that reaps the program, and closes it right after.
		await expect.poll(() => pidfdsOf(second)).toHaveLength(2);
		pidfd.close();
		other.close();
		expect(pidfdsOf(second)).toEqual([]);
	},
);

test("one that has ended cannot be opened any more, and many that end at once all tell", async () => {
	const tasks = await Promise.all(Array.from({ length: 50 }, () => Task.clone()));
	const opened = tasks.map((task, index) => (index % 2 ? PidFd.open(task.process) : PidFd.open(task.pid)));
	const waits = opened.flatMap((pidfd) => [pidfd.wait(), pidfd.exited(), pidfd.wait()]);
	await Promise.all(tasks.map((task, index) => task.exit(index)));
	const codes = (await Promise.all(waits)).map((end) => end?.code);
	expect(codes).toEqual(tasks.flatMap((_, index) => [index, index, index]));
	for (const pidfd of opened) pidfd.close();
	const gone = expect.objectContaining({ code: "ERR_NEARFAR_CHILD_DEAD" });
	expect(() => PidFd.of(tasks[0]?.process as never)).toThrow(gone);
});

/** Returns the pidfds that a task has open. */
function pidfdsOf({ pid }: Task): string[] {
	const links = readdirSync(`/proc/${pid}/fd`).map((fd) => readlinkSync(`/proc/${pid}/fd/${fd}`));
	return links.filter((link) => link.includes("pidfd"));
}
