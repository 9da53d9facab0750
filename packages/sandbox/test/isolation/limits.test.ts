import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, expect } from "vitest";
import { needs } from "../../../../test/needs.ts";
import { run, Sandbox } from "../../src/index.ts";
import { base, bomb, fileOf, groups, kinds, MiB, openBase } from "../limits/group.ts";
import { landlock } from "./landlock.ts";

const { test: limited } = needs("ABI 3 of Landlock", "groups of cgroup v2 with limits");

afterEach(() => expect(groups()).toEqual([]));

limited("limits of memory and processes are those of a group without namespaces too", async () => {
	await using sandbox = await Sandbox.open({ ...landlock, limits: { memory: 64 * MiB, processes: 12 } });
	expect([fileOf("memory.max"), sandbox.guarantees.memory]).toEqual([`${64 * MiB}`, true]);
	const child = await sandbox.start("sleep", ["1000"]);
	expect(fileOf("1", "cgroup.procs")).toBe(`${child.pid}`);
	await child[Symbol.asyncDispose]();
	const died = await sandbox.run("sh", ["-c", `sleep 1000 & ${bomb}; echo after`]);
	expect(died).toMatchObject({ signal: "SIGKILL", reason: "memory", stdout: "" });
	expect(kinds(died)).toEqual(["limit memory"]);
	expect((await sandbox.run("echo", ["next"])).stdout).toBe("next\n");
});

limited("processes are counted exactly, with a group that nothing else needs", async () => {
	const count = "n=1; while [ $n -lt 12 ]; do sleep 1000 & n=$((n + 1)); done; echo $n";
	const within = await run("sh", ["-c", count], { ...landlock, limits: { processes: 12 } });
	expect([within.stdout, kinds(within)]).toEqual(["12\n", []]);
	const beyond = await run("sh", ["-c", count], { ...landlock, limits: { processes: 11 } });
	expect(beyond.code).not.toBe(0);
	expect(kinds(beyond)).toEqual(["limit processes"]);
});

limited("options.cgroup is where the group is made, and stays the caller's", async () => {
	await using top = openBase();
	await using mine = top.create(`caller-${process.pid}`);
	const made = () => readdirSync(join(base, mine.name)).filter((each) => each.startsWith("nearfar-"));
	{
		await using sandbox = await Sandbox.open({ ...landlock, cgroup: mine, limits: { processes: 10 } });
		const [name = ""] = made();
		const child = await sandbox.start("sleep", ["1000"]);
		expect(readFileSync(`/proc/${child.pid}/cgroup`, "utf8")).toMatch(new RegExp(`/${mine.name}/${name}/1$`, "m"));
		const small = await sandbox.run("sh", ["-c", bomb], { limits: { memory: 16 * MiB } });
		expect(small.reason).toBe("memory");
	}
	expect([made(), mine.removed, mine.populated]).toEqual([[], false, false]);
});
