import { IdMap, Task } from "@nearfar/core";
import { native } from "@nearfar/core/internal";
import { setns, userNamespace } from "@nearfar/namespaces";
import { describe, expect, test } from "vitest";
import { whileUninspected } from "../../../test/inspectable.ts";
import { needs } from "../../../test/needs.ts";
import { children } from "../../../test/processes.ts";
import { reason } from "../../../test/reason.ts";

const [uid = 0, gid = 0] = [process.geteuid?.(), process.getegid?.()];

describe("userNamespace", () => {
	test("lives without a process and can be joined", async () => {
		const before = children(process.pid).filter((child) => child !== "zygote");
		using namespace = await userNamespace("root");
		expect(children(process.pid).filter((child) => child !== "zygote")).toEqual(before);
		expect([namespace.kind, namespace.ownerUid()]).toEqual(["user", uid]);
		await using task = await Task.clone();
		using inside = task.put(namespace);
		task.run(() => setns(inside, ["user"]));
		expect(task.run(() => [native().geteuid(), native().getegid()])).toEqual([0, 0]);
	});

	test.each(["root", "identity", { uids: new IdMap([[5, uid, 1]]), gids: new IdMap([[6, gid, 1]]) }] as const)(
		"%s works although the task is not dumpable",
		async (maps) => {
			using namespace = await whileUninspected(() => userNamespace(maps));
			expect([namespace.kind, namespace.ownerUid()]).toEqual(["user", uid]);
		},
	);

	test("identity, and ids of one's own", async () => {
		using identity = await userNamespace("identity");
		using other = await userNamespace({ uids: new IdMap([[5, uid, 1]]), gids: new IdMap([[6, gid, 1]]) });
		expect(identity.same(other)).toBe(false);
		await using task = await Task.clone();
		using inside = task.put(other);
		task.run(() => setns(inside, ["user"]));
		expect(task.run(() => native().geteuid())).toBe(5);
	});

	needs("root").test("a map of ranges serves many ids", async () => {
		using namespace = await userNamespace({
			uids: new IdMap([[0, 100_000, 65_536]]),
			gids: new IdMap([[0, 100_000, 65_536]]),
		});
		await using task = await Task.clone();
		using inside = task.put(namespace);
		task.run(() => setns(inside, ["user"]));
		expect(task.run(() => native().geteuid())).toBe(65_534);
	});

	test("the namespace is Node's also when a task is current", async () => {
		await using task = await Task.clone();
		const made: ReturnType<typeof userNamespace>[] = [];
		task.run(() => {
			made.push(userNamespace("root"));
		});
		using namespace = await made[0];
		expect(namespace?.table).toBe(Task.near.fdTable);
	});

	test.each(["none", "all", null, undefined, 1])("%s is refused", async (maps) => {
		expect(await reason(() => userNamespace(maps as never))).toMatchObject({
			name: "TypeError",
			code: "ERR_INVALID_ARG_VALUE",
		});
	});

	test("a refused map leaves nothing", async () => {
		const before = children(process.pid);
		const uids = [{ inside: 0, outside: uid, count: 1 }];
		expect(await reason(() => userNamespace({ uids: [...uids, ...uids] }))).toMatchObject({ code: "ERR_OUT_OF_RANGE" });
		expect(children(process.pid)).toEqual(before);
	});
});
