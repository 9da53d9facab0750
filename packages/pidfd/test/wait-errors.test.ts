import { spawn } from "node:child_process";
import { once } from "node:events";
import { openat2, Task } from "@nearfar/core";
import { expect, test } from "vitest";
import { ownProc } from "../../../test/own-proc.ts";
import { refused } from "../../../test/refusal.ts";
import { PidFd } from "../src/index.ts";
import { stateOf } from "./children.ts";
import { waitid } from "./raw.ts";

const [P_ALL, P_PID, P_PGID, P_PIDFD] = [0, 1, 2, 3];
const [WNOHANG, WEXITED, WNOWAIT] = [1, 4, 0x100_0000];
const CLD_EXITED = 1;
const SIGCHLD = 17;

test("WID-02 waitid(2): no state asked for, no children, an unknown kind of id, pid 0", async () => {
	await using task = await Task.clone();
	const isRefused = (code: string, ...args: [number, number, number]) =>
		task.run(() => expect(() => waitid(...args)).toThrow(refused(code, "syscall")));
	isRefused("EINVAL", P_ALL, 0, WNOHANG);
	isRefused("ECHILD", P_ALL, 0, WEXITED | WNOHANG);
	isRefused("EINVAL", 9, 0, WEXITED);
	isRefused("EINVAL", P_PID, 0, WEXITED);
	isRefused("EINVAL", P_PIDFD, -1, WEXITED);
	isRefused("EBADF", P_PIDFD, 999, WEXITED);
});

test("WID-13 a process group that no child is in: ECHILD", async () => {
	await using task = await Task.clone();
	await using child = await task.clone();
	expect(child.state).toBe("live");
	task.run(() => expect(() => waitid(P_PGID, 2 ** 22, WEXITED | WNOHANG)).toThrow(refused("ECHILD", "syscall")));
});

test("WID-03 nothing yet: an answer without a pid", async () => {
	await using task = await Task.clone();
	await using child = await task.clone();
	const info = task.run(() => waitid(P_ALL, 0, WEXITED | WNOHANG));
	expect([child.state, info[4]]).toEqual(["live", 0]);
});

test("WID-01 the kernel's own answer", async () => {
	const child = spawn("sh", ["-c", "exit 123"]);
	using pidfd = PidFd.of(child);
	while (stateOf(child.pid ?? 0) !== "Z"); // Node's event loop would reap the child, and does not run here
	const info = waitid(P_PIDFD, pidfd, WEXITED | WNOWAIT);
	expect([info[0], info[2], info[4], info[6]]).toEqual([SIGCHLD, CLD_EXITED, child.pid, 123]);
	expect(await once(child, "exit")).toEqual([123, null]);
});

test("WID-04 what is not a child: ECHILD; init, the caller, a stranger of a task", async () => {
	using init = PidFd.open(1);
	using self = PidFd.self();
	await using task = await Task.clone();
	for (const pidfd of [init, self]) {
		expect(() => pidfd.poll()).toThrow(refused("ECHILD", "waitid"));
		await expect(pidfd.wait()).rejects.toMatchObject({ code: "ECHILD", syscall: "waitid" });
		await expect(pidfd.wait({ stopped: true })).rejects.toMatchObject({ code: "ECHILD", syscall: "waitid" });
	}
	await using other = await Task.clone();
	task.run(() => {
		using sibling = PidFd.open(other.process);
		expect(() => sibling.poll()).toThrow(refused("ECHILD", "waitid"));
	});
});

test.each(["/dev/null", `${ownProc}/self`])("WID-05 %s is no pidfd: EBADF", async (path) => {
	using file = openat2(path);
	using claimed = PidFd.borrow(file.fd);
	expect(() => claimed.poll()).toThrow(refused("EBADF", "waitid"));
	await expect(claimed.wait()).rejects.toMatchObject({ code: "EBADF", syscall: "waitid" });
	await expect(claimed.exited()).rejects.toMatchObject({ code: "EBADF" });
});

test("PFD-06 a nonblocking descriptor: EAGAIN from waitid(2), nothing from poll", async () => {
	await using task = await Task.clone();
	const child = await task.clone();
	const pidfd = task.run(() => PidFd.open(child.process, { nonblocking: true }));
	task.run(() => {
		expect(() => waitid(P_PIDFD, pidfd, WEXITED)).toThrow(refused("EAGAIN", "syscall"));
		expect(pidfd.poll()).toBeUndefined();
	});
	const waiting = pidfd.wait();
	await child.exit(4);
	expect(await waiting).toMatchObject({ state: "exited", code: 4 });
});

test("in a batch a wait is refused, after close too, and wrong options reach no kernel", async () => {
	await using task = await Task.clone();
	const code = "ERR_NEARFAR_BATCH";
	await expect(task.batch(() => void PidFd.open(1).poll())).rejects.toMatchObject({ code });
	using pidfd = PidFd.open(task.process);
	for (const options of [{ exited: 1 }, { signal: {} }, null, { nowait: "yes" }]) {
		await expect(pidfd.wait(options as never)).rejects.toMatchObject({ code: "ERR_INVALID_ARG_TYPE" });
	}
	for (const options of [{ signal: 1 }, null]) {
		await expect(pidfd.exited(options as never)).rejects.toMatchObject({ code: "ERR_INVALID_ARG_TYPE" });
	}
	await expect(pidfd.wait({ exited: false })).rejects.toMatchObject({ code: "ERR_INVALID_ARG_VALUE" });
	pidfd.close();
	await expect(pidfd.wait()).rejects.toMatchObject({ code: "ERR_NEARFAR_CLOSED" });
	await expect(pidfd.exited()).rejects.toMatchObject({ code: "ERR_NEARFAR_CLOSED" });
	expect(() => pidfd.info()).toThrow(expect.objectContaining({ code: "ERR_NEARFAR_CLOSED" }));
});
