// viaSystemd with a systemd of this user, as in the machines of CI. That no keeper is left is seen at the end of the file.
import { existsSync } from "node:fs";
import { afterAll, beforeAll, expect } from "vitest";
import { needs } from "../../../test/needs.ts";
import { Cgroup, CgroupError } from "../src/index.ts";
import { Manager } from "./manager.ts";

const { test, describe } = needs("a systemd that this user can start");
const root = "/sys/fs/cgroup";

describe("with a systemd of this user", () => {
	let manager: Manager;
	/** What the cgroups of this machine have of these two: the tests run on a hybrid host, too. */
	let controllers: string[];

	beforeAll(async () => {
		manager = await Manager.start();
		await using parent = Cgroup.find({ controllers: [] });
		controllers = ["memory", "pids"].filter((name) => parent.controllers.includes(name));
	}, 90_000);

	afterAll(async () => {
		await manager?.[Symbol.asyncDispose]();
	});

	const expectNoScope = (path: string) => expect.poll(() => existsSync(root + path)).toBe(false);

	test("CG-01 a scope with a keeper: tasks begin in it, and Node stays where it is", async () => {
		await using own = Cgroup.current();
		const scope = await Cgroup.viaSystemd({ controllers });
		expect(scope.origin).toBe("systemd");
		expect(scope.name).toMatch(new RegExp(`^nearfar-${process.pid}-\\d+\\.scope$`));
		expect(scope.enabled).toEqual(scope.controllers);
		expect(scope.controllers).toEqual(expect.arrayContaining(controllers));
		expect(scope.pids).toEqual([]);
		await using place = Cgroup.current(scope.keeper?.process);
		expect(place.path).toBe(`${scope.path}/keeper`);
		const limits = controllers.includes("pids") ? { pids: 20 } : {};
		const group = scope.create("work", { limits });
		const task = await group.clone();
		expect(group.pids).toEqual([task.pid]);
		expect(group.keeper).toBe(scope.keeper);
		manager.systemctl("daemon-reload");
		expect(group.limits()).toMatchObject(limits);
		expect(group.pids).toEqual([task.pid]);
		await using same = Cgroup.current();
		expect(same.id).toBe(own.id);
		await scope.remove();
		await group.remove();
		await expectNoScope(scope.path);
	});

	test("CG-19 systemctl stop removes the scope: removed, and no error from remove", async () => {
		const scope = await Cgroup.viaSystemd({ controllers, name: "nearfar-stopped.scope" });
		const group = scope.create("work");
		await group.clone();
		expect(manager.systemctl("stop", scope.name)).toBe("");
		await expectNoScope(scope.path);
		expect([scope.removed, group.removed]).toEqual([true, true]);
		for (const call of [() => group.clone(), () => scope.clone(), async () => scope.read("cgroup.procs")]) {
			await expect(call()).rejects.toMatchObject({ reason: "removed" });
		}
		await group.remove();
		await scope.remove();
	});

	test("a keeper that was killed: clones are refused, and remove ends the scope", async () => {
		const scope = await Cgroup.viaSystemd({ controllers });
		const group = scope.create("work");
		await group.clone();
		scope.keeper?.process.kill("SIGKILL");
		await scope.keeper?.process.exited;
		await expect(group.clone()).rejects.toThrow(/keeper|task|removed/i);
		await scope.remove();
		await group.remove();
		await expectNoScope(scope.path);
	});

	test("a name that another unit has is refused, and leaves that unit and no task", async () => {
		await using scope = await Cgroup.viaSystemd({ controllers, name: "nearfar-named.scope" });
		const error = await Cgroup.viaSystemd({ controllers, name: scope.name }).catch((error) => error);
		expect(error).toBeInstanceOf(CgroupError);
		expect(error).toMatchObject({ reason: "systemd", hint: "pass another name, or none" });
		expect(error.message).toContain(scope.name);
		expect(scope.keeper?.state).toBe("live");
	});

	test("a controller that the scope does not have is refused, and leaves no scope", async () => {
		const name = "nearfar-missing.scope";
		const error = await Cgroup.viaSystemd({ controllers: ["nothing"], name }).catch((error) => error);
		expect(error).toMatchObject({ reason: "controller", missing: ["nothing"] });
		await expect.poll(() => manager.systemctl("is-active", name)).toMatch(/^inactive/);
	});

	test("aborted at any time it leaves no task and no scope", async () => {
		for (const after of [0, 5, 20, 50, 100, 200]) {
			const name = `nearfar-aborted-${after}.scope`;
			const signal = AbortSignal.timeout(after);
			const made = await Cgroup.viaSystemd({ controllers, name, signal }).catch((error) => error);
			if (made instanceof Cgroup) await made.remove();
			else expect(made).toMatchObject({ name: "AbortError" });
			await expect.poll(() => manager.systemctl("is-active", name)).toMatch(/^inactive/);
		}
	});

	test("ten scopes at once", async () => {
		const scopes = await Promise.all(Array.from({ length: 10 }, () => Cgroup.viaSystemd({ controllers })));
		expect(new Set(scopes.map(({ id }) => id)).size).toBe(10);
		await Promise.all(scopes.map((scope) => scope.remove()));
		for (const { path } of scopes) await expectNoScope(path);
	});
});
