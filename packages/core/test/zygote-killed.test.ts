import { expect, test } from "vitest";
import { Task } from "../src/index.ts";
import { native } from "../src/native.ts";
import { expectNoLeaks } from "./leaks.ts";

expectNoLeaks();

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
	await (await Task.clone()).exit(); // there is a zygote at the end, as there was at the beginning
});
