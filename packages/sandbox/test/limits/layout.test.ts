import { readdirSync } from "node:fs";
import { join } from "node:path";
import { afterEach, expect } from "vitest";
import { forkBomb } from "../../../../test/fork-bomb.mjs";
import { run, Sandbox } from "../../src/index.ts";
import { base, closed, fileOf, groups, kinds, limited, lines, MiB, openBase } from "./group.ts";

afterEach(() => expect(groups()).toEqual([]));

const all = { memory: 64 * MiB, cpus: 0.5, processes: 20 };

limited.test(
	"the group of a sandbox holds its limits, process 1 is in init, and each command in a group of its own",
	async () => {
		await using sandbox = await Sandbox.open({ ...closed, limits: all });
		expect(fileOf("memory.max")).toBe(`${64 * MiB}`);
		expect(fileOf("cpu.max")).toBe("50000 100000");
		expect(fileOf("pids.max")).toBe("22"); // process 1 and the task that clones the commands do not count
		expect([fileOf("cgroup.procs"), fileOf("init", "cgroup.procs").split("\n").length]).toEqual(["", 2]);
		const child = await sandbox.start("sleep", ["1000"]);
		expect(fileOf("1", "cgroup.procs")).toBe(`${child.pid}`);
		expect(fileOf("1", "memory.oom.group")).toBe("1");
		expect(fileOf("1", "memory.max")).toBe("max");
		expect(fileOf("init", "memory.oom.group")).toBe("0");
		child.kill("SIGKILL");
		await child.result;
		await sandbox.run("true");
		const [name = ""] = groups();
		const left = readdirSync(join(base, name), { withFileTypes: true }).filter((entry) => entry.isDirectory());
		expect(left.map((entry) => entry.name)).toEqual(["init"]); // the groups of commands go when they are empty
	},
);

limited.test("a command sees the group of the sandbox as the root, and nothing of the host's", async () => {
	await using sandbox = await Sandbox.open({ ...closed, limits: all });
	expect(await lines(sandbox, "grep ^0 /proc/self/cgroup; grep ^0 /proc/1/cgroup")).toEqual(["0::/1", "0::/init"]);
	const once = await run("sh", ["-c", "grep ^0 /proc/self/cgroup"], { ...closed, limits: all });
	expect(once.stdout).toBe("0::/1\n");
});

limited.test(
	"limits of a single run are those of its group, which the sandbox's group holds within its own",
	async () => {
		await using sandbox = await Sandbox.open({ ...closed, limits: all });
		const limits = { memory: 32 * MiB, swap: 0, cpus: 0.25, processes: 5 };
		const child = await sandbox.start("sleep", ["1000"], { limits });
		expect(fileOf("1", "memory.max")).toBe(`${32 * MiB}`);
		expect(fileOf("1", "cpu.max")).toBe("25000 100000");
		expect(fileOf("1", "pids.max")).toBe("5");
		await child[Symbol.asyncDispose]();
	},
);

limited.test("a daemon that a command has left behind stays in its group, within the limits", async () => {
	await using sandbox = await Sandbox.open({ ...closed, limits: all });
	await sandbox.run("sh", ["-c", "(setsid sleep 1000 &)"]);
	expect(fileOf("1", "cgroup.procs")).toMatch(/^\d+$/);
	await sandbox.run("true");
	expect(fileOf("1", "cgroup.procs")).toMatch(/^\d+$/);
});

limited.test("options.cgroup is where the group is made, and stays the caller's", async () => {
	await using top = openBase();
	await using mine = top.create(`caller-${process.pid}`);
	{
		await using sandbox = await Sandbox.open({ ...closed, cgroup: mine, limits: { processes: 10 } });
		const [name = ""] = readdirSync(join(base, mine.name)).filter((each) => each.startsWith("nearfar-"));
		expect(readdirSync(join(base, mine.name, name))).toContain("init");
		expect(await lines(sandbox, "grep ^0 /proc/self/cgroup")).toEqual(["0::/1"]);
		const small = await sandbox.run("sh", ["-c", "tail /dev/zero"], { limits: { memory: 16 * MiB } });
		expect([small.reason, small.guarantees.memory]).toEqual(["memory", undefined]);
	}
	expect(mine.removed).toBe(false);
	expect(mine.populated).toBe(false);
});

limited.test("processes: exactly so many, threads too, and a violation where there would be more", async () => {
	const count = "n=1; while [ $n -lt 12 ]; do sleep 1000 & n=$((n + 1)); done; echo $n";
	const within = await run("sh", ["-c", count], { ...closed, limits: { memory: 64 * MiB, processes: 12 } });
	expect([within.stdout, kinds(within)]).toEqual(["12\n", []]);
	const beyond = await run("sh", ["-c", count], { ...closed, limits: { memory: 64 * MiB, processes: 11 } });
	expect(beyond.code).not.toBe(0);
	expect(kinds(beyond)).toEqual(["limit processes"]);
});

limited.test("processes: a fork bomb reaches the limit, and ends with the command", async () => {
	const limits = { cpus: 1, processes: 30, time: 5000, grace: 0 };
	const result = await run("sh", ["-c", forkBomb()], { ...closed, limits });
	expect(result.reason).toBe("timeout");
	expect(kinds(result).sort()).toEqual(["limit processes", "limit time"]);
});

limited.test("processes: the whole sandbox has so many, whichever command they belong to", async () => {
	await using sandbox = await Sandbox.open({ ...closed, limits: { cpus: 1, processes: 6 } });
	await sandbox.run("sh", ["-c", "for i in 1 2 3; do (setsid sleep 1000 &); done"]);
	const full = await sandbox.run("sh", ["-c", "sleep 1000 & sleep 1000 & sleep 1000 & echo no"]);
	expect([full.stdout, kinds(full)]).toEqual(["", ["limit processes"]]);
});

limited.test("processes: in a full sandbox a command is an error, and nothing of it runs", async () => {
	await using sandbox = await Sandbox.open({ ...closed, limits: { cpus: 1, processes: 2 } });
	const child = await sandbox.start("sh", ["-c", "sleep 1000 & echo full; wait"]);
	await new Promise((resolve) => child.stdout?.once("data", resolve));
	await expect(sandbox.run("echo", ["ran"])).rejects.toMatchObject({ cause: { code: "EAGAIN" } });
	await child[Symbol.asyncDispose]();
	expect((await sandbox.run("echo", ["again"])).stdout).toBe("again\n");
});

limited.test("cpus: a busy command is held back", async () => {
	await using sandbox = await Sandbox.open({ ...closed, limits: { cpus: 0.1 } });
	const child = await sandbox.start("sh", ["-c", "while :; do :; done"]);
	await expect.poll(() => fileOf("cpu.stat"), { timeout: 60_000 }).toMatch(/^nr_throttled [1-9]/m);
	await child[Symbol.asyncDispose]();
});
