import { Task } from "@nearfar/core";
import { expect, test } from "vitest";
import { refusal } from "../../../../test/refusal.ts";
import { resolveUser } from "../../src/process/users.ts";

const NOBODY = 2 ** 32 - 2;

test("root is found by name and by id", () => {
	const root = resolveUser("root");
	expect(root).toMatchObject({ name: "root", uid: 0, gid: 0, groups: expect.arrayContaining([0]) });
	expect(resolveUser(0)).toEqual(root);
});

test("a group id takes the place of the user's own, and groups can be left out", () => {
	expect(resolveUser("root", "user", { gid: 4711 }).groups).toContain(4711);
	expect(resolveUser("root", "user", { gid: 4711, groups: false })).toEqual({
		name: "root",
		uid: 0,
		gid: 4711,
		groups: [],
	});
});

test("a string is only ever a name, and a number only ever an id", () => {
	const { code, message } = refusal(() => resolveUser("0"));
	expect(code).toBe("ERR_NEARFAR_UNKNOWN_USER");
	expect(message).toContain("number");
	for (const user of [NOBODY, "", "no-such-user", "+", "+root", "-", "root:x:0", "root\n"]) {
		expect(refusal(() => resolveUser(user)).code).toBe("ERR_NEARFAR_UNKNOWN_USER");
	}
});

test("what is neither a name nor an id is refused", () => {
	for (const user of [undefined, null, true, 7n, {}, ["root"]]) {
		expect(refusal(() => resolveUser(user as never)).code).toBe("ERR_INVALID_ARG_TYPE");
	}
	for (const user of [-1, 0.5, 2 ** 32 - 1, Number.NaN]) {
		expect(refusal(() => resolveUser(user)).code).toBe("ERR_OUT_OF_RANGE");
	}
	expect(refusal(() => resolveUser("ro\0ot")).code).toBe("ERR_INVALID_ARG_VALUE");
});

test("a user is found while a task is current, and while a batch is collected", async () => {
	await using task = await Task.clone();
	expect(task.run(() => resolveUser("root"))).toEqual(resolveUser("root"));
	await expect(task.batch(() => resolveUser("root").uid)).resolves.toBe(0);
	expect(refusal(() => task.run(() => resolveUser("no-such-user")))).not.toHaveProperty("task");
});
