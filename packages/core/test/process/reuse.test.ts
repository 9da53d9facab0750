import { expect, test } from "vitest";
import { runFixtureIn } from "../../../../test/fixture-in-task.ts";
import { Task } from "../../src/index.ts";

const mount = process.arch === "x64" ? 165 : 40;
const text = (value: string) => Buffer.from(`${value}\0`);

test("a pid that is used again: no handle of the dead reaches the stranger", async () => {
	const task = await Task.clone({ namespaces: ["user", "pid", "mnt"], idMap: "root" });
	task.syscall(mount, text("proc"), text("/proc"), text("proc"), 0, 0);
	const { report, code } = await runFixtureIn(task, "core/reuse");
	expect(code).toBe(0);
	const killed = { state: "killed", signal: "SIGKILL", code: null, pid: 0, uid: 0 };
	const safe = { same: true, codes: ["ERR_NEARFAR_CHILD_DEAD"], ended: killed, unharmed: true };
	expect(report).toMatchObject({ untold: safe, ofTask: safe, adopted: "1", ofNobody: safe });
	expect(report.batch).toEqual({ taken: false, signal: "SIGKILL", reaped: true });
	expect(report.handles).toEqual({ same: true, code: "ERR_NEARFAR_CHILD_DEAD", exit: 4, first: 3 });
});
