// pidfds of nearfar's children, of the runtime's own children, and of other processes.
import { spawn as spawnNode } from "node:child_process";
import { once } from "node:events";
import { pipe } from "@nearfar/core";
import { PidFd } from "@nearfar/pidfd";
import { spawn } from "@nearfar/process";
import { equal, rejects, same, throws, truthy, withTask } from "../tools.mjs";

export const pidfd = {
	"a pidfd signals a child and tells its end": async () => {
		const child = await spawn("sleep", ["60"], { stdio: "ignore" });
		const pidfd = PidFd.open(child);
		pidfd.sendSignal("SIGTERM");
		equal((await pidfd.exited()).signal, "SIGTERM");
		equal((await pidfd.wait()).state, "killed");
		equal((await child.exited).signal, "SIGTERM");
		pidfd.close();
	},
	"a pidfd of this process": () => {
		const self = PidFd.self();
		self.sendSignal(0);
		truthy(self.startTime() > 0);
		self.close();
	},
	"a pid that no process has": () => {
		throws(() => PidFd.open(2 ** 22 + 1), "ESRCH");
	},
	"a descriptor of another process": () =>
		withTask({}, (task) => {
			const [read, write] = pipe();
			const far = task.put(write);
			const pidfd = PidFd.open(task.process);
			let copy;
			try {
				copy = pidfd.getFd(far.fd);
			} catch (error) {
				equal(error.code, "EPERM"); // the host forbids tracing
			}
			copy?.write("x");
			if (copy) equal(read.read(1).toString(), "x");
			for (const fd of [read, write, pidfd, copy]) fd?.close();
		}),
	"a stop of a child": () =>
		withTask({}, async (task) => {
			const pidfd = PidFd.open(task.exec("sleep", ["sleep", "60"]));
			equal(pidfd.poll(), undefined);
			pidfd.sendSignal("SIGSTOP");
			equal((await pidfd.wait({ stopped: true })).state, "stopped");
			pidfd.sendSignal("SIGKILL");
			equal((await pidfd.wait()).signal, "SIGKILL");
			pidfd.close();
		}),
	"a child of node:child_process: both hear its end": async () => {
		const child = spawnNode("sh", ["-c", "read line; exit 7"], { stdio: ["pipe", "ignore", "inherit"] });
		const exit = once(child, "exit");
		const pidfd = PidFd.of(child);
		child.stdin.end("\n");
		same(await pidfd.exited(), { code: 7, signal: null, dumped: false });
		equal((await pidfd.wait()).code, 7);
		same(await exit, [7, null]);
		pidfd.close();
	},
	"a child of node:child_process by its number is not reaped": async () => {
		const child = spawnNode("sh", ["-c", "read line; exit 8"], { stdio: ["pipe", "ignore", "inherit"] });
		const exit = once(child, "exit");
		const pidfd = PidFd.open(child.pid);
		await rejects(pidfd.wait(), "ERR_NEARFAR_CHILD_BUSY");
		equal(pidfd.poll(), undefined);
		const ended = pidfd.exited();
		child.stdin.end("\n");
		same(await exit, [8, null]);
		truthy([8, undefined].includes((await ended)?.code)); // the kernel keeps the status since Linux 6.15
		pidfd.close();
	},
};
