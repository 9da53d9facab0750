import { closeSync, openSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { pipe } from "@nearfar/core";
import { expect, test } from "vitest";
import { mark, marked } from "../../../test/marked.ts";
import { needs } from "../../../test/needs.ts";
import { refusal } from "../../../test/refusal.ts";
import { run, Sandbox, start } from "../src/index.ts";
import { folder } from "./attempts.ts";

const closed = { preset: "closed" } as const;
const shell = (script: string, options = {}) => run("sh", ["-c", script], { ...closed, ...options });

test("killSignal asks the command to end, and `grace` later it is killed", async () => {
	const script = "trap 'echo got it; exit 9' USR1; trap '' TERM; echo ready; sleep 1000 & wait; wait";
	const asked = await shell(script, { killSignal: "SIGUSR1", limits: { time: 2000 } });
	expect([asked.code, asked.reason, asked.stdout]).toEqual([9, "timeout", "ready\ngot it\n"]);
	await using sandbox = await Sandbox.open({ ...closed, limits: { grace: 1_000_000 } });
	const limits = { time: 2000 };
	const killed = await sandbox.run("sh", ["-c", script], { limits, grace: 1 });
	expect([killed.signal, killed.reason, killed.stdout]).toEqual(["SIGKILL", "timeout", "ready\n"]);
	for (const killSignal of [0, "SIGNO", 65]) {
		await expect(sandbox.run("true", [], { killSignal } as object)).rejects.toThrow(/killSignal/);
	}
});

test("`input` that the command does not read is no error, and without one the input is empty", async () => {
	const input = Buffer.alloc(10_000_000, "x");
	expect((await run("true", [], { ...closed, input })).code).toBe(0);
	expect((await run("head", ["-c", "3"], { ...closed, input })).stdout).toBe("xxx");
	expect((await shell("wc -c", { input })).check().stdout.trim()).toBe("10000000");
	expect((await run("cat", [], closed)).check().stdout).toBe("");
	expect((await run("cat", [], { ...closed, stdio: ["pipe", "pipe", "pipe"] })).check().stdout).toBe("");
	expect((await run("cat", [], { ...closed, tty: true })).check().stdout).toBe("");
	const child = await start("cat", [], { ...closed, input: "given" });
	let shown = "";
	for await (const chunk of child.stdout ?? []) shown += chunk;
	expect(shown).toBe("given");
	await child.result;
});

test("stdio: descriptors of the caller, a file, and streams from 3 up; the command has no others", async () => {
	const at = join(folder(), "file");
	const file = openSync(at, "w");
	const [read, write] = pipe();
	const result = await shell("echo out; echo err >&2; echo four >&4; ls /proc/self/fd | tr '\\n' ' ' >&4", {
		stdio: ["ignore", file, "pipe", "ignore", write],
	});
	write.close();
	closeSync(file);
	expect([result.stdout, result.stderr, readFileSync(at, "utf8")]).toEqual(["", "err\n", "out\n"]);
	// The last one is the folder itself, open in `ls`.
	expect(read.read(100).toString()).toBe("four\n0 1 2 3 4 5 ");
	read.close();
	const child = await start("sh", ["-c", "cat <&3 >&3"], { ...closed, stdio: ["ignore", "ignore", "ignore", "pipe"] });
	const stream = child.stdio[3];
	stream?.end("both ways");
	let answer = "";
	for await (const chunk of stream ?? []) answer += chunk;
	expect([answer, child.stdin, child.stdout, child.stderr]).toEqual(["both ways", null, null, null]);
	await child.result;
});

test("encoding: text in the encoding, or the bytes, of both streams", async () => {
	const script = "printf '\\303\\244\\377'; printf '\\342\\202\\254' >&2";
	const bytes = [Buffer.from("c3a4ff", "hex"), Buffer.from("e282ac", "hex")];
	for (const encoding of ["utf8", "latin1", "hex"] as const) {
		const { stdout, stderr } = await shell(script, { encoding });
		expect([stdout, stderr]).toEqual(bytes.map((each) => each.toString(encoding)));
	}
	const { stdout, stderr } = await run("sh", ["-c", script], { ...closed, encoding: "buffer" });
	expect([stdout, stderr]).toEqual(bytes);
	await expect(run("true", [], { ...closed, encoding: "utf9" } as object)).rejects.toMatchObject({
		code: "ERR_INVALID_ARG_VALUE",
	});
});

test("limits.output counts the bytes of each stream, also of one that is read as text", async () => {
	const both = await shell("head -c 1000 /dev/zero; head -c 1001 /dev/zero >&2; exec sleep 1000", {
		limits: { output: 1000 },
	});
	expect([both.reason, both.truncated, both.stdout.length, both.stderr.length]).toEqual([
		"output",
		{ stdout: false, stderr: true },
		1000,
		1000,
	]);
	expect((await shell("true", { limits: { output: 0 } })).reason).toBe("exited");
	expect((await shell("echo", { limits: { output: 0 } })).reason).toBe("output");
	const script = "for i in 1 2 3 4; do printf '\\342\\202\\254'; done; exec sleep 1000"; // 4 characters, 12 bytes
	const child = await start("sh", ["-c", script], { ...closed, limits: { output: 11 } });
	child.stdout?.setEncoding("utf8").resume();
	expect(await child.result).toMatchObject({
		reason: "output",
		truncated: { stdout: true, stderr: false },
		stdout: "",
	});
});

test("what ends first is the reason, and a command that then exits with 0 has not succeeded", async () => {
	const script = "trap 'exit 0' TERM; echo ready; sleep 1000 & wait";
	const timed = await shell(script, { limits: { time: 2000 } });
	expect([timed.code, timed.signal, timed.reason]).toEqual([0, null, "timeout"]);
	expect(refusal(() => timed.check())).toMatchObject({ code: "ERR_NEARFAR_EXIT" });
	const killed = await shell("kill -SEGV $$");
	expect([killed.code, killed.signal, killed.reason]).toEqual([null, "SIGSEGV", "killed"]);
	const wrote = await shell("echo too much", { limits: { output: 1 } });
	expect(refusal(() => wrote.check())).toMatchObject({ message: expect.stringContaining("limits.output") });
});

test("check returns the result itself, or throws with the end of the standard error", async () => {
	const good = await shell("echo fine");
	expect(good.check()).toBe(good);
	const bad = await shell("echo because >&2; exit 3");
	expect(refusal(() => bad.check())).toMatchObject({
		code: "ERR_NEARFAR_EXIT",
		message: expect.stringMatching(/exited with 3.*because/),
	});
	expect(Object.keys(bad)).not.toContain("check");
	expect(JSON.parse(JSON.stringify(bad))).toMatchObject({ code: 3, reason: "exited", stderr: "because\n" });
});

test("usage: times in milliseconds and memory in bytes", async () => {
	const script = "i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done";
	const { usage } = await shell(script);
	expect(usage.user ?? 0).toBeGreaterThan(0);
	expect(usage.wall).toBeGreaterThan(usage.startup);
	expect(usage.startup).toBeGreaterThan(0);
	expect(usage.system).not.toBe(null);
	expect(usage.maxRss ?? 0).toBeGreaterThan(500_000);
});

test("a program is looked up in the PATH of the command: ENOENT, or EACCES where a file of that name cannot be executed", async () => {
	const at = folder();
	writeFileSync(join(at, "own"), "#!/bin/sh\necho own", { mode: 0o755 });
	writeFileSync(join(at, "plain"), "");
	await using sandbox = await Sandbox.open({ ...closed, write: [at], env: { PATH: at } });
	expect((await sandbox.run("own")).stdout).toBe("own\n");
	await expect(sandbox.run("true")).rejects.toMatchObject({ code: "ENOENT", path: "true" });
	await expect(sandbox.run("plain")).rejects.toMatchObject({ code: "EACCES" });
	expect((await sandbox.run("true", [], { env: { PATH: "/usr/bin" } })).code).toBe(0);
});

test("cwd and env of one command: relative to Node, through a link, and not visible; `undefined` removes a variable", async () => {
	const at = folder();
	symlinkSync("deep", join(at, "link"));
	await using sandbox = await Sandbox.open({ ...closed, write: [at], cwd: at, env: { A: "1", B: "2" } });
	(await sandbox.run("mkdir", ["deep"])).check();
	const pwd = async (cwd?: string) =>
		(await sandbox.run("pwd", ["-P"], cwd === undefined ? {} : { cwd })).stdout.trim();
	const deep = join(at, "deep");
	expect([await pwd(), await pwd(deep), await pwd(join(at, "link"))]).toEqual([at, deep, deep]);
	expect(await pwd(relative(process.cwd(), deep))).toBe(deep);
	await expect(pwd("/nowhere")).rejects.toMatchObject({ code: "ERR_NEARFAR_SANDBOX_PATH" });
	const { stdout } = await sandbox.run("sh", ["-c", "echo $A-$B-$C"], {
		env: { A: undefined, C: "3" },
	});
	expect(stdout).toBe("-2-3\n");
});

test("the signal of one command ends that command alone, and one that was aborted before runs nothing", async () => {
	await using sandbox = await Sandbox.open(closed);
	const control = new AbortController();
	const [one, other] = [
		await sandbox.start("sh", ["-c", "echo ready; exec sleep 1000"], { signal: control.signal }),
		await sandbox.start("sh", ["-c", "read line; exit 5"]),
	];
	one.stdout?.once("data", () => control.abort());
	expect(await one.result).toMatchObject({ reason: "aborted", signal: "SIGTERM" });
	other.stdin?.end("on\n");
	expect(await other.result).toMatchObject({ reason: "exited", code: 5 });
	await expect(sandbox.run("touch", ["/dev/shm/ran"], { signal: control.signal })).rejects.toMatchObject({
		code: "ABORT_ERR",
	});
	expect((await sandbox.run("ls", ["/dev/shm"])).stdout).toBe("");
});

needs("/proc").test("the signal of a sandbox ends what its commands have left behind, and the sandbox", async () => {
	const [env, control] = [mark(), new AbortController()];
	await using sandbox = await Sandbox.open({ ...closed, env, signal: control.signal });
	(await sandbox.run("sh", ["-c", "(setsid sleep 1000 &)"])).check();
	const running = await sandbox.start("sh", ["-c", "trap 'exit 4' TERM; echo ready; sleep 1000 & wait"]);
	running.stdout?.once("data", () => control.abort());
	expect(await running.result).toMatchObject({ reason: "aborted", code: 4 });
	for await (const _ of sandbox.violations); // until the sandbox is closed
	expect(marked(env)).toEqual([]);
	await expect(sandbox.run("true")).rejects.toMatchObject({ code: "ERR_NEARFAR_SANDBOX_CLOSED" });
});

needs("/proc").test("disposal of a started command ends its sandbox too", async () => {
	const env = mark();
	const child = await start("sh", ["-c", "(setsid sleep 1000 &); echo ready; exec sleep 1000"], { ...closed, env });
	await new Promise((resolve) => child.stdout?.once("data", resolve));
	await child[Symbol.asyncDispose]();
	expect(marked(env)).toEqual([]);
	expect(await child.result).toMatchObject({ reason: "killed", signal: "SIGKILL" });
});

needs("/proc").test("SB-22 the streams of a started command end with it, whoever holds them", async () => {
	const child = await start("sh", ["-c", "(setsid sleep 1000 &); echo done"], closed);
	const read = async (stream: typeof child.stdout) => {
		let all = "";
		for await (const chunk of stream ?? []) all += chunk;
		return all;
	};
	expect(await Promise.all([read(child.stdout), read(child.stderr)])).toEqual(["done\n", ""]);
	expect((await child.result).code).toBe(0);
});

needs("/proc").test(
	"SB-21 a limit of time is kept by a command of an open sandbox that forks as it is ended",
	async () => {
		const env = mark();
		const sandbox = await Sandbox.open({ ...closed, env });
		const script = "trap '' TERM; while :; do (sleep 0.01 &) ; sleep 0.01; done";
		const result = await sandbox.run("sh", ["-c", script], { limits: { time: 2000 }, grace: 50 });
		expect([result.signal, result.reason]).toEqual(["SIGKILL", "timeout"]);
		await sandbox[Symbol.asyncDispose]();
		expect(marked(env)).toEqual([]);
	},
);

test("SB-23 TMPDIR is there, private and writable, and the same for all commands of a sandbox", async () => {
	const before = process.env.TMPDIR;
	process.env.TMPDIR = "/no/such/folder";
	try {
		await using sandbox = await Sandbox.open(closed);
		(await sandbox.run("sh", ["-c", 'echo kept > "$TMPDIR/note"'])).check();
		expect((await sandbox.run("sh", ["-c", 'cat "$TMPDIR/note"; stat -c %a "$TMPDIR"'])).stdout).toBe("kept\n1777\n");
		expect((await shell('test -e "$TMPDIR/note"; echo "$TMPDIR $?"')).stdout).toBe("/tmp 1\n");
	} finally {
		if (before === undefined) delete process.env.TMPDIR;
		else process.env.TMPDIR = before;
	}
});

test.each<[string, object]>([
	["a limit of a sandbox in the place of one of a command", { limits: { openFiles: 5 } }],
	["a time of 0", { limits: { time: 0 } }],
	["a grace below 0", { grace: -1 }],
	["a pipe from 3 up, which nobody reads", { stdio: [null, null, null, "pipe"] }],
	["an input that is no text", { input: 7 }],
	["an input together with another standard input", { input: "x", stdio: ["ignore"] }],
	["a signal that is none", { signal: {} }],
	["a variable with =", { env: { "A=B": "c" } }],
	["an unknown option", { timeout: 5 }],
])("a mistake in the options of a command is refused: %s", async (_, options) => {
	await using sandbox = await Sandbox.open(closed);
	await expect(sandbox.run("touch", ["/dev/shm/ran"], options)).rejects.toMatchObject({
		code: expect.stringMatching(/^ERR_(INVALID_ARG|OUT_OF_RANGE|UNKNOWN)/),
	});
	expect((await sandbox.run("ls", ["/dev/shm"])).stdout).toBe("");
});
