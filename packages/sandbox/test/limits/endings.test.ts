import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readdirSync, readFileSync, rmdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, expect } from "vitest";
import { fixturePath } from "../../../../test/fixture.ts";
import { mark, marked, untilMarked } from "../../../../test/marked.ts";
import { run, Sandbox } from "../../src/index.ts";
import { base, closed, groups, limited, MiB, openBase } from "./group.ts";

afterEach(() => expect(groups()).toEqual([]));

const limits = { memory: 32 * MiB, cpus: 1, processes: 20 };
const namespace = statSync("/proc/self/ns/pid").ino;

/** Returns all groups of sandboxes, whoever has made them. */
function all(): string[] {
	return readdirSync(base).filter((name) => name.startsWith("nearfar-"));
}

limited.test.each(["opening", "moved", "running", "full", "ending"])(
	"guarantee 9: when Node is killed, everything ends, and the next sandbox removes the groups: %s",
	async (phase) => {
		const env = mark();
		const node = spawn(process.execPath, [fixturePath("sandbox/killed-limits"), phase], {
			env: { ...process.env, ...env },
			stdio: "inherit",
		});
		const [, signal] = await once(node, "exit");
		expect(signal).toBe("SIGKILL");
		await untilMarked(env, 0);
		await untilEmpty(node.pid ?? 0);
		await run("true", [], { ...closed, limits });
		expect(all()).toEqual([]);
		expect(marked(env)).toEqual([]);
	},
);

/** Waits until no process is left in the groups of a process: process 1 of a sandbox has no variable to be found by. */
async function untilEmpty(pid: number): Promise<void> {
	const isPopulated = () =>
		all()
			.filter((name) => name.startsWith(`nearfar-${pid}-`))
			.some((name) => readFileSync(join(base, name, "cgroup.events"), "utf8").includes("populated 1"));
	while (isPopulated()) await new Promise((resolve) => setImmediate(resolve));
}

limited.test("groups of processes that live, of other pid namespaces and with processes in them stay", async () => {
	const [, start] = /^\d+ \(.*\) (?:\S+ ){19}(\d+)/s.exec(readFileSync("/proc/self/stat", "utf8")) ?? [];
	const names = {
		mine: `nearfar-${process.pid}-${start}-${namespace}-999999`,
		elsewhere: `nearfar-2-3-${namespace + 1}-1`,
		populated: `nearfar-4194305-3-${namespace}-1`,
		other: "nearfar-5-3",
		dead: `nearfar-4194305-3-${namespace}-2`,
		reused: `nearfar-${process.pid}-1-${namespace}-1`,
	};
	for (const name of Object.values(names)) mkdirSync(join(base, name));
	const child = spawn("sleep", ["1000"]);
	try {
		mkdirSync(join(base, names.dead, "init"));
		writeFileSync(join(base, names.populated, "cgroup.procs"), `${child.pid}`);
		await run("true", [], { ...closed, limits });
		expect(all().sort()).toEqual([names.mine, names.elsewhere, names.populated, names.other].sort());
	} finally {
		child.kill("SIGKILL");
		await once(child, "exit");
		for (const name of all()) rmdirSync(join(base, name));
	}
});

limited.test("another one with the same name takes no group away", async () => {
	const [, start] = /^\d+ \(.*\) (?:\S+ ){19}(\d+)/s.exec(readFileSync("/proc/self/stat", "utf8")) ?? [];
	const taken = Array.from({ length: 40 }, (_, i) => `nearfar-${process.pid}-${start}-${namespace}-${i + 1}`);
	for (const name of taken) mkdirSync(join(base, name));
	try {
		expect((await run("echo", ["ran"], { ...closed, limits })).stdout).toBe("ran\n");
		expect(groups().length).toBe(40);
	} finally {
		for (const name of taken) rmdirSync(join(base, name));
	}
});

limited.test("a sandbox whose group somebody else has removed ends without an error", async () => {
	const sandbox = await Sandbox.open({ ...closed, limits });
	const [name = ""] = groups();
	writeFileSync(join(base, name, "cgroup.kill"), "1");
	while (readFileSync(join(base, name, "cgroup.events"), "utf8").includes("populated 1"))
		await new Promise((resolve) => setImmediate(resolve));
	for (const child of readdirSync(join(base, name), { withFileTypes: true }))
		if (child.isDirectory()) rmdirSync(join(base, name, child.name));
	rmdirSync(join(base, name));
	await expect(sandbox.run("true")).rejects.toMatchObject({
		code: expect.stringMatching(/^ERR_NEARFAR_SANDBOX_(CLOSED|LIMIT)$/), // whichever is noticed first
	});
	await sandbox[Symbol.asyncDispose]();
});

limited.test("a command whose group somebody else has killed has no reason of memory", async () => {
	await using sandbox = await Sandbox.open({ ...closed, limits });
	const child = await sandbox.start("sleep", ["1000"]);
	const [name = ""] = groups();
	writeFileSync(join(base, name, "1", "cgroup.kill"), "1");
	expect(await child.result).toMatchObject({ signal: "SIGKILL", reason: "killed" });
	expect((await sandbox.run("echo", ["next"])).stdout).toBe("next\n");
});

limited.test("a frozen sandbox ends", async () => {
	const sandbox = await Sandbox.open({ ...closed, limits });
	const child = await sandbox.start("sleep", ["1000"]);
	const [name = ""] = groups();
	writeFileSync(join(base, name, "cgroup.freeze"), "1");
	await sandbox[Symbol.asyncDispose]();
	expect(await child.result).toMatchObject({ code: null, reason: "killed" });
});

limited.test("a group that takes no more groups is an error, and nothing has run", async () => {
	await using top = openBase();
	await using mine = top.create(`caller-${process.pid}`);
	mkdirSync(join(base, mine.name, "one"));
	writeFileSync(join(base, mine.name, "cgroup.max.descendants"), "1");
	const error = await run("echo", ["ran"], { ...closed, cgroup: mine, limits }).catch((error) => error);
	expect(error).toMatchObject({ code: "ERR_NEARFAR_SANDBOX_LIMIT", cause: { code: "EAGAIN" } });
	for (const room of ["2", "3"]) {
		writeFileSync(join(base, mine.name, "cgroup.max.descendants"), room); // enough for S, and then for S/init
		const half = await run("echo", ["ran"], { ...closed, cgroup: mine, limits }).catch((error) => error);
		expect(half).toMatchObject({ code: "ERR_NEARFAR_SANDBOX_LIMIT" });
		expect(readdirSync(join(base, mine.name)).filter((each) => each.startsWith("nearfar-"))).toEqual([]);
	}
});

limited.test("a group with processes of its own is an error with the reason", async () => {
	await using top = openBase();
	await using mine = top.create(`caller-${process.pid}`);
	const child = spawn("sleep", ["1000"]);
	try {
		writeFileSync(join(base, mine.name, "cgroup.procs"), `${child.pid}`);
		const error = await run("echo", ["ran"], { ...closed, cgroup: mine, limits }).catch((error) => error);
		expect(error).toMatchObject({ code: "ERR_NEARFAR_SANDBOX_LIMIT", cause: { reason: "occupied" } });
	} finally {
		child.kill("SIGKILL");
		await once(child, "exit");
	}
});

limited.test("a group that was removed is an error with the reason", async () => {
	await using top = openBase();
	const mine = top.create(`caller-${process.pid}`);
	rmdirSync(join(base, mine.name));
	const error = await run("echo", ["ran"], { ...closed, cgroup: mine, limits }).catch((error) => error);
	expect(error).toMatchObject({ code: "ERR_NEARFAR_SANDBOX_LIMIT", cause: { reason: "removed" } });
	await mine[Symbol.asyncDispose]();
});

limited.test("what fails later leaves no group", async () => {
	await expect(run("no-such-program", [], { ...closed, limits })).rejects.toMatchObject({ code: "ENOENT" });
	await expect(run("true", [], { ...closed, limits, cwd: "/nowhere" })).rejects.toMatchObject({
		code: "ERR_NEARFAR_SANDBOX_PATH",
	});
	await expect(run("true", [], { ...closed, limits, read: ["/no/such"] })).rejects.toMatchObject({
		code: "ERR_NEARFAR_SANDBOX_PATH",
	});
	await expect(run("true", [], { ...closed, limits, signal: AbortSignal.abort() })).rejects.toMatchObject({
		code: "ABORT_ERR",
	});
	await using sandbox = await Sandbox.open({ ...closed, limits });
	await expect(sandbox.run("no-such-program")).rejects.toMatchObject({ code: "ENOENT" });
	const [name = ""] = groups();
	expect(readdirSync(join(base, name)).filter((each) => /^(init|\d+)$/.test(each))).toEqual(["init"]);
});

limited.test("an aborted sandbox leaves no group", async () => {
	const control = new AbortController();
	const running = run("sleep", ["1000"], { ...closed, limits, signal: control.signal, grace: 0 });
	setImmediate(() => control.abort());
	await running.then(
		({ reason }) => expect(reason).toBe("aborted"),
		(error) => expect(error.code).toBe("ABORT_ERR"),
	);
});
