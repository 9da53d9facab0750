import { spawn } from "node:child_process";
import { once } from "node:events";
import { readlinkSync } from "node:fs";
import { expect } from "vitest";
import { runFixture } from "../../../../test/fixture.ts";
import { isRoot, needs } from "../../../../test/needs.ts";

// A new pid namespace that keeps the /proc of the outer one, as in a nested container.
const wrapper = ["unshare", isRoot ? "-pf" : "-Upfr"];
const userNamespace = (pid: string | number | undefined) => readlinkSync(`/proc/${pid}/ns/user`);

needs("the program unshare").test(
	"a child of a task has the pid of Node's namespace, though /proc shows another",
	async () => {
		const { code, report, stderr } = await runFixture("process/foreign-proc", { wrapper });
		expect([code, stderr]).toEqual([0, ""]);
		expect(report).toMatchObject({ near: 1, signal: "SIGKILL" });
		expect(report.pid).toBeLessThan(20);
	},
);

needs("/proc", "root").test(
	"an explicit id map is the task's, not that of a stranger with the same number in /proc",
	async () => {
		const stranger = spawn("unshare", ["-U", "sleep", "1000"], { stdio: "ignore" });
		await expect.poll(() => userNamespace(stranger.pid)).not.toBe(userNamespace("self"));
		const { code, report } = await runFixture("core/foreign-map", { wrapper, args: [`${stranger.pid}`] });
		stranger.kill("SIGKILL");
		await once(stranger, "exit");
		expect([code, report]).toEqual([0, { pid: stranger.pid, stranger: "", own: ["0", "4242", "1"] }]);
	},
);
