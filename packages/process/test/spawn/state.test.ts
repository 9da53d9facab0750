import { readFileSync } from "node:fs";
import { type ChildProcess, type SyscallError, Task } from "@nearfar/core";
import { expect, test } from "vitest";
import { needs } from "../../../../test/needs.ts";
import { ownProc } from "../../../../test/own-proc.ts";
import { reason } from "../../../../test/reason.ts";
import { type SpawnOptions, schedGetaffinity, spawn } from "../../src/index.ts";
import { output, shell } from "./output.ts";

const rooted = { namespaces: ["user"], idMap: "root" } satisfies SpawnOptions;
const [cpu = 0] = schedGetaffinity();
const status = (field: string) => `grep ^${field}: ${ownProc}/self/status | tr -s '\\t ' ' '`;

test.each<[string, SpawnOptions, string, string]>([
	["cwd", { cwd: "/usr" }, "pwd", "/usr"],
	["cwd as bytes", { cwd: Buffer.from("/usr") }, "pwd", "/usr"],
	["umask", { umask: 0o27 }, "umask", "0027"],
	[
		"env",
		{ env: { A: "1", B: undefined, PATH: "/usr/bin:/bin" } },
		"env | grep -vE '^(PWD|SHLVL|_)=' | sort | tr '\\n' ' '",
		"A=1 PATH=/usr/bin:/bin",
	],
	["noNewPrivs", { noNewPrivs: true }, status("NoNewPrivs"), "NoNewPrivs: 1"],
	["limits, one for both", { limits: { nofile: 77, core: 0 } }, "ulimit -Sn; ulimit -Hn; ulimit -c", "77\n77\n0"],
	["limits, soft and hard", { limits: { nofile: { soft: 66, hard: 77 } } }, "ulimit -Sn; ulimit -Hn", "66\n77"],
	[
		"limits as bigint, and none",
		{ limits: { nofile: 77n, fsize: Number.POSITIVE_INFINITY } },
		"ulimit -n; ulimit -f",
		"77\nunlimited",
	],
	["nice", { nice: 7 }, "nice", "7"],
	["cpus", { cpus: [cpu] }, status("Cpus_allowed_list"), `Cpus_allowed_list: ${cpu}`],
	["namespaces with pid: the program is process 1", { ...rooted, namespaces: ["user", "pid"] }, "echo $$", "1"],
	[
		"init: the program is not process 1",
		{ ...rooted, namespaces: ["user", "pid"], init: true },
		"echo $$ $PPID",
		"2 1",
	],
	["killTree", { killTree: true }, "echo in; exit 0", "in"],
])("%s is seen inside", async (_, options, script, seen) => {
	expect(await shell(script, options)).toBe(seen);
});

needs("the program hostname").test("namespaces are seen inside", async () => {
	const options = { ...rooted, namespaces: ["user", "uts"] } satisfies SpawnOptions;
	expect(await shell("hostname inside; hostname; id -u", options)).toBe("inside\n0");
});

needs("a /usr that is complete without the rest").test("root is seen inside", async () => {
	expect(await shell("pwd; cd /bin; pwd", { ...rooted, root: "/usr", env: { PATH: "/bin" } })).toBe("/\n/bin");
});

test("argv0 is what the program takes for its name, and the file the default", async () => {
	const name = ["-c", `tr '\\0' ' ' < ${ownProc}/$$/cmdline`];
	expect((await output("/bin/sh", name, { argv0: "other" })).out).toMatch(/^other -c /);
	expect((await output("sh", name)).out).toMatch(/^sh -c /);
});

test("argv0 of spawn may begin with a dash, without a warning", async () => {
	const warnings: Error[] = [];
	const listen = (warning: Error) => warnings.push(warning);
	process.on("warning", listen);
	expect((await output("cat", [`${ownProc}/self/cmdline`], { argv0: "-x" })).out).toMatch(/^-x\0/);
	await new Promise(setImmediate); // the event comes in a later turn than the warning
	process.off("warning", listen);
	expect(warnings).toEqual([]);
});

test("session and group", async () => {
	const ids = `cut -d' ' -f5,6 ${ownProc}/$$/stat; echo $$`;
	const [, own = ""] = /^\d+ \(.*\) . \d+ (\d+ \d+)/.exec(readFileSync("/proc/self/stat", "utf8")) ?? [];
	const lines = async (options: SpawnOptions) => (await shell(ids, options)).split("\n");
	expect((await lines({}))[0]).toBe(own);
	for (const options of [{ session: true }, { session: true, group: true }]) {
		const [both, pid] = await lines(options);
		expect(both).toBe(`${pid} ${pid}`);
	}
	const [both, pid] = await lines({ group: true });
	expect(both).toBe(`${pid} ${own.split(" ")[1]}`);
});

test.each<[string, SpawnOptions]>([
	["", {}],
	["in a pid namespace of its own", { namespaces: ["user", "pid"] }],
	["in one with an init", { namespaces: ["user", "pid"], init: true }],
	["with killTree", { killTree: true }],
])("group of another child %s", async (_, options) => {
	await using leader = await spawn("sleep", ["1000"], { stdio: "ignore", group: true });
	await using member = await spawn("sleep", ["1000"], { stdio: "ignore", group: leader, ...options });
	expect([leader.getpgid(), member.getpgid()]).toEqual([leader.pid, leader.pid]);
	leader.killpg("SIGKILL"); // process 1 of a namespace ignores other signals from outside
	expect(await member.exited).toMatchObject({ signal: "SIGKILL" });
});

test("the group is that of this process's pid namespace, whichever task is current", async () => {
	await using leader = await spawn("sleep", ["1000"], { stdio: "ignore", group: true });
	await using inside = await Task.clone({ namespaces: ["user", "pid"] });
	let started: Promise<ChildProcess> | undefined;
	inside.run(() => {
		started = spawn("sleep", ["1000"], { stdio: "ignore", group: leader });
	});
	await using member = await started;
	expect(member?.getpgid()).toBe(leader.pid);
});

test("group of a child that has ended is refused", async () => {
	const dead = await spawn("true", [], { stdio: "ignore", group: true });
	await dead.exited;
	const error = await reason(() => spawn("true", [], { group: dead }));
	expect(error).toMatchObject({ code: "ERR_NEARFAR_CHILD_DEAD" });
});

test.each<[string, SpawnOptions, Partial<SyscallError>]>([
	["cwd", { cwd: "/nope" }, { code: "ENOENT", syscall: "chdir", path: "/nope" }],
	["cwd that is a file", { cwd: "/etc/passwd" }, { code: "ENOTDIR", syscall: "chdir" }],
	["root", { ...rooted, root: "/nope" }, { code: "ENOENT", syscall: "chroot", path: "/nope" }],
	["cwd inside root", { ...rooted, root: "/usr", cwd: "/usr" }, { code: "ENOENT", syscall: "chdir", path: "/usr" }],
	["limits", { limits: { nofile: { soft: 9, hard: 1 } } }, { code: "EINVAL", syscall: "setrlimit" }],
	["cpus: none", { cpus: [] }, { code: "EINVAL", syscall: "sched_setaffinity" }],
	["cpus", { cpus: [60_000] }, { code: "EINVAL", syscall: "sched_setaffinity" }],
	["uid that is not mapped", { ...rooted, uid: 4711 }, { code: "EINVAL", syscall: "setresuid" }],
	["gid that is not mapped", { ...rooted, gid: 4711 }, { code: "EINVAL", syscall: "setresgid" }],
	["groups that were given up", { ...rooted, groups: [0] }, { code: "EPERM", syscall: "setgroups" }],
])("%s: the refusal names the step, and nothing is left", async (_, options, error) => {
	for (const more of [{}, { killTree: true }]) {
		expect(await reason(() => spawn("true", [], { ...options, ...more }))).toMatchObject(error);
	}
});

test("an environment of a MiB arrives, and a word that is too long is E2BIG", async () => {
	const many = Object.fromEntries(Array.from({ length: 1100 }, (_, index) => [`V${index}`, "x".repeat(1018)]));
	const size = Number(await shell("env | wc -c", { env: { PATH: "/usr/bin:/bin", ...many } }));
	expect(size).toBeGreaterThan(2 ** 20);
	const error = await reason(() => spawn("true", [], { env: { PATH: "/usr/bin:/bin", long: "x".repeat(2 ** 22) } }));
	expect(error).toMatchObject({ code: "E2BIG", syscall: "execve" });
});

test.each<[string, SpawnOptions]>([
	["alone", {}],
	["with a setup", { setup: () => {} }],
	["with killTree", { killTree: true }],
	["in a user namespace", { namespaces: ["user"] }],
])("the environment is that of the call, %s", async (_, options) => {
	process.env.NEARFAR_WHEN = "at the call";
	// The second program waits for the zygote.
	const starting = [0, 1].map(() => shell("echo $NEARFAR_WHEN", options));
	process.env.NEARFAR_WHEN = "later";
	try {
		expect(await Promise.all(starting)).toEqual(["at the call", "at the call"]);
	} finally {
		delete process.env.NEARFAR_WHEN;
	}
});
