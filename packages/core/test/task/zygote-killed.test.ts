import { setImmediate } from "node:timers/promises";
import { expect, test } from "vitest";
import { reason } from "../../../../test/reason.ts";
import { native } from "../../src/addon/native.ts";
import { Task } from "../../src/index.ts";

test("a zygote that is killed while it clones leaves no task and no zombie", async () => {
	let made = 0;
	for (let round = 0; round < 100; round++) {
		const clones = Array.from({ length: 6 }, () => Task.clone());
		const zygote = native().zygotePid();
		if (round % 2 === 1) await Promise.race(clones);
		process.kill(zygote, "SIGKILL");
		for (const clone of await Promise.allSettled(clones)) {
			if (clone.status === "rejected") expect(clone.reason).toMatchObject({ code: "ERR_NEARFAR_TASK_GONE" });
			else await clone.value.exit();
			made += clone.status === "fulfilled" ? 1 : 0;
		}
	}
	expect(made).toBeGreaterThan(100);
	await (await Task.clone()).exit(); // leaves a zygote, as there was one at the beginning
});

test("a clone that two killed zygotes have lost says so, and this process is as it was", async () => {
	let lost: unknown;
	for (let round = 0; round < 1000 && !lost; round++) {
		const clones = Array.from({ length: 6 }, () => Task.clone());
		const first = native().zygotePid();
		process.kill(first, "SIGKILL");
		let settled = false;
		const outcomes = Promise.allSettled(clones).finally(() => {
			settled = true;
		});
		// The next clone starts another zygote.
		while (native().zygotePid() === first && !settled) await setImmediate();
		await reason(() => process.kill(native().zygotePid(), "SIGKILL"));
		for (const clone of await outcomes) {
			if (clone.status === "fulfilled") await clone.value.exit();
			else lost = clone.reason;
		}
	}
	expect(lost).toMatchObject({ code: "ERR_NEARFAR_TASK_GONE", message: expect.stringContaining("try again") });
	expect(Task.near.state).toBe("live");
	expect(Task.near.run(() => native().zygotePid())).toBeGreaterThan(0);
	await (await Task.clone()).exit();
});
