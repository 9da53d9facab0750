import { describe, expect, test } from "vitest";
import { reason } from "../../../../test/reason.ts";
import { Task } from "../../src/index.ts";

const sleeper = async () => (await Task.clone()).exec("/bin/sleep", ["sleep", "1000"]);

describe("stops", () => {
	test("WID-06 stopped twice with nowait, then continued", async () => {
		await using child = await sleeper();
		expect(child.poll({ stopped: true })).toBeUndefined();
		child.kill("SIGSTOP");
		const stopped = { state: "stopped", signal: "SIGSTOP", code: null, pid: child.pid };
		expect(await child.wait({ stopped: true, nowait: true })).toMatchObject(stopped);
		expect(await child.wait({ stopped: true })).toMatchObject(stopped);
		expect(child.poll({ stopped: true, continued: true })).toBeUndefined();
		child.kill("SIGCONT");
		expect(await child.wait({ continued: true })).toMatchObject({ state: "continued", signal: "SIGCONT" });
		expect(child.death).toBeUndefined();
	});

	test("poll sees them without anybody waiting", async () => {
		await using child = await sleeper();
		child.kill("SIGSTOP"); // not SIGTSTP, which the kernel drops for an orphaned process group; a test run may be one
		let state = child.poll({ stopped: true });
		while (!state) {
			await new Promise(setImmediate);
			state = child.poll({ stopped: true });
		}
		expect(state).toMatchObject({ state: "stopped", signal: "SIGSTOP" });
	});

	test("a death ends a wait for a stop", async () => {
		const child = await sleeper();
		const waiting = child.wait({ stopped: true });
		child.kill("SIGKILL");
		expect(await waiting).toMatchObject({ state: "killed", signal: "SIGKILL" });
		expect(await child.exited).toMatchObject({ signal: "SIGKILL" });
	});
});

describe("waiting", () => {
	test("twice for the same death is ChildBusyError, but not with nowait or for a stop", async () => {
		const child = await sleeper();
		const first = child.wait();
		const busy = { name: "ChildBusyError", code: "ERR_NEARFAR_CHILD_BUSY" };
		expect(await reason(() => child.wait())).toMatchObject(busy);
		expect(await reason(() => child.wait({ exited: true, stopped: true }))).toMatchObject(busy);
		const others = [child.wait({ nowait: true }), child.wait({ stopped: true })];
		child.kill("SIGKILL");
		for (const state of await Promise.all([first, ...others])) expect(state).toMatchObject({ signal: "SIGKILL" });
	});

	test("aborted ends the wait and nothing else", async () => {
		await using child = await sleeper();
		const [why, controller] = [new Error("why"), new AbortController()];
		expect(await reason(() => child.wait({ signal: AbortSignal.abort(why) }))).toMatchObject({
			code: "ABORT_ERR",
			cause: why,
		});
		const waiting = reason(() => child.wait({ signal: controller.signal }));
		controller.abort(why);
		expect(await waiting).toMatchObject({ code: "ABORT_ERR", cause: why });
		expect(child.poll()).toBeUndefined();
		const again = child.wait();
		child.kill("SIGTERM");
		expect(await again).toMatchObject({ state: "killed", signal: "SIGTERM" });
	});
});
