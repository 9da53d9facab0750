import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openat2 } from "@nearfar/core";
import { type CallName, compileFilter, type SeccompAction, type SeccompRules } from "@nearfar/seccomp";
import { afterAll, describe, expect, test } from "vitest";
import { needs } from "../../../../test/needs.ts";
import { run, type SpawnOptions, setNoNewPrivs, spawn } from "../../src/index.ts";

const folder = mkdtempSync(join(tmpdir(), "nearfar-filtered-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** Messages of programs are in English. */
const env = { ...process.env, LC_ALL: "C" };

function refusalOf(started: Promise<unknown>): Promise<NodeJS.ErrnoException> {
	return started.then(
		() => ({}) as NodeJS.ErrnoException,
		(error: NodeJS.ErrnoException) => error,
	);
}

function refuse(calls: readonly CallName[], action: SeccompAction = { errno: "EROFS" }): SeccompRules {
	return { default: "allow", rules: [{ calls, action }] };
}

const noDirectories = refuse(["mkdir", "mkdirat"]);

/** Everything that a task calls on its way to a program, but execve(2). */
const callsOfTasks: readonly CallName[] = [
	...(["close_range", "fcntl", "prctl", "recvmsg", "sendmsg", "seccomp", "capset", "setresuid"] as const),
	...(["setns", "dup2", "dup3", "setsid", "sched_setaffinity", "setpriority"] as const),
];

needs("/proc").test.each<[string, SpawnOptions]>([
	["alone", {}],
	["with killTree", { killTree: true }],
	["with a setup", { setup: () => {} }],
	["with a supervisor and a setup", { killTree: true, setup: () => {} }],
	["with descriptors and a session", { session: true, fds: [], stdio: ["ignore", "pipe", "pipe", "pipe"] }],
	["compiled before", { seccomp: compileFilter(noDirectories) }],
])("a program and what it starts have the filter: %s", async (_, options) => {
	const script = "mkdir new; grep -E '^(Seccomp|NoNewPrivs):' /proc/self/status";
	const filtered = { cwd: folder, env, noNewPrivs: true, seccomp: noDirectories, ...options };
	const { stdout, stderr } = (await run("sh", ["-c", script], filtered)).check();
	expect(stdout).toBe("NoNewPrivs:\t1\nSeccomp:\t2\n");
	expect(stderr).toContain("Read-only file system");
});

needs("/proc").test("Node itself has no filter afterwards, and neither has the next program", async () => {
	const filters = (text: string) => /^Seccomp:.*$/m.exec(text)?.[0];
	const own = filters(readFileSync("/proc/self/status", "utf8"));
	await run("true", [], { noNewPrivs: true, seccomp: noDirectories });
	expect(filters(readFileSync("/proc/self/status", "utf8"))).toBe(own);
	expect(filters((await run("cat", ["/proc/self/status"])).stdout)).toBe(own);
});

describe("of the calls of the task, the filter has to allow execve(2) alone", () => {
	test.each<[string, SpawnOptions]>([
		["alone", {}],
		["with killTree", { killTree: true, grace: 1000 }],
		[
			"with descriptors, limits and a group",
			{ stdio: ["pipe", "pipe", "pipe", "pipe"], limits: { nofile: 20 }, group: true },
		],
		["with a death signal and a setup", { deathSignal: "SIGKILL", setup: () => {} }],
		["looked up in PATH", { env: { PATH: "/nowhere:/dev/null:/usr/bin:/bin" } }],
	])("%s", async (_, options) => {
		const { code, signal } = await run("true", [], {
			noNewPrivs: true,
			seccomp: refuse(callsOfTasks, "kill"),
			...options,
		});
		expect({ code, signal }).toEqual({ code: 0, signal: null });
	});

	test("a list of allowed calls without any other gets as far as the program's loader", async () => {
		const rules: SeccompRules = { default: { errno: "EPERM" }, rules: [{ calls: ["execve"], action: "allow" }] };
		const child = await spawn("true", [], { noNewPrivs: true, seccomp: rules });
		const { code } = await child.exited;
		expect([0, 103]).not.toContain(code);
	});

	test("a program by descriptor takes execveat(2)", async () => {
		using file = openat2("/bin/true", { flags: ["path"] });
		const seccomp = refuse([...callsOfTasks, "execve"], "kill");
		expect(await run(file, [], { noNewPrivs: true, seccomp })).toMatchObject({ code: 0 });
		const other = await run(file, [], { noNewPrivs: true, seccomp: refuse(["execveat"], "kill") });
		expect(other).toMatchObject({ signal: "SIGSYS", reason: "killed" });
	});
});

test("if the filter kills for execve(2), the child ends with SIGSYS", async () => {
	const child = await spawn("true", [], { noNewPrivs: true, seccomp: refuse(["execve"], "kill") });
	expect(await child.exited).toMatchObject({ code: null, signal: "SIGSYS" });
});

test("if the filter refuses execve(2), the promise rejects with its error", async () => {
	const error = await refusalOf(spawn("/bin/true", [], { noNewPrivs: true, seccomp: refuse(["execve"]) }));
	expect(error).toMatchObject({ code: "EROFS", syscall: "execve", path: "/bin/true" });
});

test("a missing program is ENOENT, also where the filter kills for looking at files", async () => {
	const looks: readonly CallName[] = ["open", "openat", "readlinkat", "read", "pread64", "close", "prctl", "fcntl"];
	for (const action of ["kill", { errno: "EPERM" }] as const) {
		// No other folder: one that may not be searched would be EACCES.
		const path = { PATH: "/usr/bin:/nowhere:/bin" };
		const options: SpawnOptions = { env: path, noNewPrivs: true, seccomp: refuse(looks, action) };
		const missing = join(folder, "missing");
		expect(await refusalOf(spawn(missing, [], options))).toMatchObject({
			code: "ENOENT",
			syscall: "execve",
			path: missing,
		});
		const name = "nearfar-no-such-program";
		expect(await refusalOf(spawn(name, [], options))).toMatchObject({ code: "ENOENT", path: name });
		expect(await refusalOf(spawn("/", [], options))).toMatchObject({ code: "EACCES", syscall: "execve", path: "/" });
	}
});

test("if the filter refuses sendmsg(2) too, a missing program ends with the code 103", async () => {
	const child = await spawn(join(folder, "missing"), [], { noNewPrivs: true, seccomp: refuse(["sendmsg"]) });
	expect(await child.exited).toMatchObject({ code: 103 });
});

test("setup runs without the filter", async () => {
	let done = 0n;
	const mkdirat = process.arch === "arm64" ? 34 : 258;
	await run("true", [], {
		noNewPrivs: true,
		seccomp: noDirectories,
		setup(task) {
			done = task.syscall(mkdirat, -100, Buffer.from(`${folder}/by-setup\0`), 0o700) as bigint;
		},
	});
	expect(done).toBe(0n);
});

test("a setup may set no_new_privs", async () => {
	const { code } = await run("true", [], { seccomp: noDirectories, setup: () => setNoNewPrivs() });
	expect(code).toBe(0);
});

test("the rules and the bytes are those of the moment of the call", async () => {
	const bytes = compileFilter(noDirectories);
	const rules = { ...noDirectories };
	const options = { cwd: folder, env, noNewPrivs: true };
	const programs = [bytes, rules].map((seccomp) => run("mkdir", ["changed"], { ...options, seccomp, setup: () => {} }));
	bytes.fill(0);
	rules.rules = [];
	for (const { code, stderr } of await Promise.all(programs)) {
		expect(code).not.toBe(0);
		expect(stderr).toContain("Read-only file system");
	}
});

describe("without no_new_privs", () => {
	needs("an ordinary user", "no_new_privs that is not set").test("it is EACCES for an ordinary user", async () => {
		const error = await refusalOf(spawn("true", [], { seccomp: noDirectories }));
		expect(error).toMatchObject({
			code: "EACCES",
			syscall: "seccomp",
			hint: expect.stringContaining("noNewPrivs: true"),
		});
	});

	needs("root", "/proc", "no_new_privs that is not set").test(
		"CAP_SYS_ADMIN is enough, after capabilities and ids have been applied",
		async () => {
			const script = "grep NoNewPrivs /proc/self/status; mkdir new";
			const { stdout, stderr } = await run("sh", ["-c", script], { cwd: folder, env, seccomp: noDirectories });
			expect([stdout, stderr.includes("Read-only file system")]).toEqual(["NoNewPrivs:\t0\n", true]);
			for (const lost of [{ capabilities: [] }, { uid: 1000, gid: 1000 }, { user: 1000 }] as SpawnOptions[]) {
				const error = await refusalOf(spawn("true", [], { seccomp: noDirectories, ...lost }));
				expect(error).toMatchObject({
					code: "EACCES",
					syscall: "seccomp",
					hint: expect.stringContaining("noNewPrivs: true"),
				});
				const allowed = await run("true", [], { seccomp: noDirectories, noNewPrivs: true, ...lost });
				expect(allowed.code).toBe(0);
			}
		},
	);

	needs("user namespaces").test("a user namespace of the task's own gives CAP_SYS_ADMIN", async () => {
		const options: SpawnOptions = { namespaces: ["user"], idMap: "root", seccomp: noDirectories };
		expect((await run("true", [], options)).code).toBe(0);
	});
});

test("bytes that are no filter are EINVAL, and nothing is left of the program", async () => {
	const error = await refusalOf(spawn("true", [], { noNewPrivs: true, seccomp: new Uint8Array(8) }));
	expect(error).toMatchObject({ code: "EINVAL", syscall: "seccomp" });
});

test("mistakes are found before anything happens, and named by the option", async () => {
	const wrong = (seccomp: unknown) => refusalOf(spawn("true", [], { seccomp } as SpawnOptions));
	expect(await wrong("allow")).toMatchObject({
		code: "ERR_INVALID_ARG_TYPE",
		message: expect.stringContaining("options.seccomp"),
	});
	expect(await wrong(null)).toMatchObject({ code: "ERR_INVALID_ARG_TYPE" });
	expect(await wrong(new Uint8Array(7))).toMatchObject({ code: "ERR_OUT_OF_RANGE" });
	expect((await wrong({ default: "allow", rules: [{ calls: ["reed"], action: "kill" }] })).message).toContain(
		'"options.seccomp.rules[0].calls[0]"',
	);
});
