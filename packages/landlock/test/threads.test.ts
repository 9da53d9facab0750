// Which threads of Node a domain reaches.
import { openat2, Task } from "@nearfar/core";
import { expect, test } from "vitest";
import { runFixture } from "../../../test/fixture.ts";
import { has, needs } from "../../../test/needs.ts";
import { refusal } from "../../../test/refusal.ts";
import { landlock, landlockAbi, landlockRestrictSelf } from "../src/index.ts";
import { inside, outcome } from "./domain.ts";

test("LL-05 near it is refused before any call, and in a thread of Node too", async () => {
	const rules = { scope: ["signal"] } as const;
	const refused = "ERR_NEARFAR_MULTITHREADED";
	expect(outcome(() => landlock(rules, { drop: "any" }))).toBe(refused);
	expect(outcome(() => landlockRestrictSelf(null))).toBe(refused);
	await expect(Task.near.batch(() => void landlock(rules, { drop: "any" }))).rejects.toMatchObject({ code: refused });
	const thread = await Task.thread();
	try {
		for (const options of [{}, { process: true }]) {
			expect(refusal(() => thread.run(() => void landlock(rules, { drop: "any", ...options }))).code).toBe(refused);
			expect(refusal(() => thread.run(() => landlockRestrictSelf(null, options))).code).toBe(refused);
		}
	} finally {
		await thread[Symbol.asyncDispose]();
	}
});

test("with { process: true } below ABI 8 it is an error, before any call", () => {
	if (landlockAbi() >= 8) return;
	const error = refusal(() => landlock({ scope: ["signal"] }, { process: true, drop: "any" }));
	expect(error).toMatchObject({ code: "ERR_NEARFAR_LANDLOCK_UNAVAILABLE", missing: ["tsync"] });
	expect(refusal(() => landlockRestrictSelf(null, { process: true }))).toMatchObject({ missing: ["tsync"] });
});

test("a batch near cannot have { process: true }", async () => {
	const batch = Task.near.batch(() => landlockRestrictSelf(null, { process: true }));
	await expect(batch).rejects.toMatchObject({ code: "ERR_NEARFAR_BATCH" });
});

needs("Landlock").test(
	"in a task the options process and thread change nothing about where the domain is",
	async () => {
		for (const options of [{ process: true }, { thread: true }]) {
			await using task = await Task.clone();
			task.run(() => landlock({ paths: [] }, { drop: "any", ...options }));
			expect(inside(task, () => openat2("/").close())).toBe("EACCES");
		}
		expect(outcome(() => openat2("/").close())).toBe("ok");
	},
);

needs("Landlock").test("in a thread of Node { thread: true } restricts that thread alone", async () => {
	const thread = await Task.thread();
	try {
		thread.run(() => landlock({ paths: [] }, { drop: "any", thread: true }));
		expect(outcome(() => thread.run(() => openat2("/").close()))).toBe("EACCES");
		expect(outcome(() => openat2("/").close())).toBe("ok");
	} finally {
		await thread[Symbol.asyncDispose]();
	}
});

needs("ABI 3 of Landlock").test("{ thread: true } near restricts the calling thread, and what it starts", async () => {
	const { report, code, stderr } = await runFixture("landlock/threads", { args: ["thread"] });
	expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
	expect(report).toMatchObject({
		error: "ok",
		level: 3,
		first: ["ok", "ok"],
		near: "EACCES",
		pool: "ok",
		workers: ["ok", "ok", "EACCES"],
		noNewPrivs: true,
		before: "ok",
		after: "EACCES",
	});
});

needs("ABI 8 of Landlock").test.each(["process", ...(has("ABI 11 of Landlock") ? ["raw"] : [])])(
	"LL-05 every thread is restricted, and what is started later: %s",
	async (how) => {
		const { report, code, stderr } = await runFixture("landlock/threads", { args: [how] });
		expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
		expect(report).toMatchObject({
			error: "ok",
			first: ["ok", "ok"],
			near: "EACCES",
			pool: "EACCES",
			workers: ["EACCES", "EACCES", "EACCES"],
			noNewPrivs: true,
			before: "ok", // another process, from before
			after: "EACCES",
		});
	},
);
