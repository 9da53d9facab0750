import { setImmediate } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { stat } from "../../../../test/processes.ts";
import { reason } from "../../../../test/reason.ts";
import { type ChildProcess, type ChildState, Task } from "../../src/index.ts";

const sleeper = async () => (await Task.clone()).exec("/bin/sleep", ["sleep", "1000"]);
const [stopped, continued, killed] = [{ state: "stopped" }, { state: "continued" }, { state: "killed" }];
const inState = async (child: ChildProcess, letter: string) => {
	while (stat(child.pid)?.state !== letter) await setImmediate();
};

describe("no state is lost that somebody waits for", () => {
	test("waiters for different states each hear of theirs", async () => {
		const child = await sleeper();
		const heard: [string, Promise<ChildState>][] = [
			["stop", child.wait({ stopped: true })],
			["continuation", child.wait({ continued: true })],
			["either", child.wait({ stopped: true, continued: true })],
			["either, left alone", child.wait({ stopped: true, continued: true, nowait: true })],
			["end", child.wait()],
			["end, left alone", child.wait({ nowait: true })],
		];
		child.kill("SIGSTOP");
		await inState(child, "T");
		await heard[0]?.[1];
		child.kill("SIGCONT");
		await heard[1]?.[1];
		child.kill("SIGKILL");
		const states = await Promise.all(heard.map(async ([name, state]) => [name, (await state).state]));
		expect(Object.fromEntries(states)).toEqual({
			stop: "stopped",
			continuation: "continued",
			either: "stopped",
			"either, left alone": "stopped",
			end: "killed",
			"end, left alone": "killed",
		});
	});

	test("though another polls for it in the same moment", async () => {
		await using child = await sleeper();
		for (let turn = 0; turn < 50; turn++) {
			const waiting = child.wait({ stopped: true });
			child.kill("SIGSTOP");
			let seen = child.poll({ stopped: true });
			while (!seen && stat(child.pid)?.state !== "T") seen = child.poll({ stopped: true });
			expect(await waiting).toMatchObject(stopped);
			const going = child.wait({ continued: true });
			child.kill("SIGCONT");
			seen = child.poll({ continued: true });
			for (let more = 0; !seen && more < 100; more++) seen = child.poll({ continued: true });
			expect(await going).toMatchObject(continued);
			expect(child.poll({ stopped: true, continued: true })).toBeUndefined();
		}
	});

	test("though the wait for it was aborted before, or by the one who was told", async () => {
		await using child = await sleeper();
		const [first, second] = [new AbortController(), new AbortController()];
		const aborted = reason(() => child.wait({ stopped: true, signal: first.signal }));
		first.abort(1);
		expect(await aborted).toMatchObject({ code: "ABORT_ERR", cause: 1 });
		child.kill("SIGSTOP");
		await inState(child, "T");
		expect(await child.wait({ stopped: true })).toMatchObject(stopped);
		const both = [
			child.wait({ continued: true, signal: second.signal }).then(() => second.abort()),
			child.wait({ continued: true, signal: second.signal }),
		];
		child.kill("SIGCONT");
		expect(await Promise.all(both)).toMatchObject([undefined, continued]);
	});

	test("a stop that nobody claimed is there for the next, and nowait leaves it", async () => {
		await using child = await sleeper();
		const watching = child.wait({ continued: true });
		child.kill("SIGSTOP");
		await inState(child, "T");
		let seen = child.poll({ stopped: true, nowait: true });
		while (!seen) seen = child.poll({ stopped: true, nowait: true });
		expect(child.poll({ stopped: true, nowait: true })).toMatchObject(stopped);
		expect(await child.wait({ stopped: true })).toMatchObject(stopped);
		expect(child.poll({ stopped: true })).toBeUndefined();
		child.kill("SIGCONT");
		expect(await watching).toMatchObject(continued);
	});

	test("the death, when the wait that would reap it was aborted in the middle", async () => {
		const child = await sleeper();
		const controller = new AbortController();
		const first = reason(() => child.wait({ signal: controller.signal }));
		const other = child.wait({ nowait: true });
		controller.abort(2);
		expect(await first).toMatchObject({ code: "ABORT_ERR", cause: 2 });
		child.kill("SIGKILL");
		expect(await other).toMatchObject(killed);
		expect(child.poll({ nowait: true })).toMatchObject(killed);
		expect(await child.wait()).toMatchObject(killed);
		expect(await reason(() => child.wait())).toMatchObject({ code: "ERR_NEARFAR_CHILD_DEAD" });
	});

	test("aborted after it was told, a wait has its state", async () => {
		const child = await sleeper();
		const controller = new AbortController();
		const waiting = child.wait({ signal: controller.signal });
		child.kill("SIGKILL");
		while (!child.death) await setImmediate();
		controller.abort();
		expect(await waiting).toMatchObject(killed);
	});
});

test("kill is allowed during a wait, and by several waits at once", async () => {
	const child = await sleeper();
	const waits = [child.wait(), ...Array.from({ length: 20 }, () => child.wait({ nowait: true }))];
	for (let turn = 0; turn < 20; turn++) child.kill(0);
	child.kill("SIGTERM");
	for (const state of await Promise.all(waits)) expect(state).toMatchObject({ state: "killed", signal: "SIGTERM" });
});

test("exited and continued asked for together: whichever comes first, and then the death is still there", async () => {
	const child = await sleeper();
	child.kill("SIGSTOP");
	await inState(child, "T");
	expect(await child.wait({ exited: true, stopped: true })).toMatchObject(stopped);
	const next = child.wait({ exited: true, continued: true });
	child.kill("SIGCONT");
	expect(await next).toMatchObject(continued);
	child.kill("SIGKILL");
	expect(await child.wait({ exited: true, stopped: true })).toMatchObject(killed);
});
