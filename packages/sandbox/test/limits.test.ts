import { expect, test } from "vitest";
import { mark, marked } from "../../../test/marked.ts";
import { has, needs } from "../../../test/needs.ts";
import { refusal } from "../../../test/refusal.ts";
import { run, start } from "../src/index.ts";
import "./attempts.ts"; // it opens what lives as long as the process

const closed = { preset: "closed" } as const;

/** Returns the kinds and names of violations. */
function kinds({ violations }: { violations: readonly { kind: string; what: string }[] }): string[] {
	return violations.map(({ kind, what }) => `${kind} ${what}`);
}

needs("/proc").test("SB-21 time: the command is ended, and what it has left behind", async () => {
	const env = mark();
	const result = await run("sh", ["-c", "(setsid sleep 1000 &); exec sleep 1000"], {
		...closed,
		env,
		limits: { time: 300 },
	});
	expect([result.code, result.signal, result.reason, kinds(result)]).toEqual([
		null,
		"SIGTERM",
		"timeout",
		["limit time"],
	]);
	expect(marked(env)).toEqual([]);
	expect(refusal(() => result.check())).toMatchObject({ code: "ERR_NEARFAR_EXIT" });
});

test("time and grace: who ignores the signal is killed", async () => {
	const script = "trap '' TERM; echo ready; while :; do sleep 1000; done";
	const result = await run("sh", ["-c", script], { ...closed, limits: { time: 2000, grace: 10 } });
	expect([result.signal, result.reason, result.stdout]).toEqual(["SIGKILL", "timeout", "ready\n"]);
});

needs("/proc").test("SB-22 a daemon that holds the output does not delay the result", async () => {
	const env = mark();
	const result = await run("sh", ["-c", "(setsid sleep 1000 &); echo done"], { ...closed, env });
	expect([result.stdout, result.reason, result.truncated]).toEqual([
		"done\n",
		"exited",
		{ stdout: false, stderr: false },
	]);
	expect(marked(env)).toEqual([]);
});

test("output: the command is ended, and what came before is kept", async () => {
	const result = await run("sh", ["-c", "yes"], { ...closed, limits: { output: 1000 } });
	expect([result.stdout.length, result.reason, result.truncated.stdout, kinds(result)]).toEqual([
		1000,
		"output",
		true,
		["limit output"],
	]);
	const exact = await run("sh", ["-c", "head -c 1000 /dev/zero; echo e >&2"], {
		...closed,
		limits: { output: 1000 },
		encoding: "buffer",
	});
	expect([exact.stdout.equals(Buffer.alloc(1000)), exact.stderr.toString(), exact.reason]).toEqual([
		true,
		"e\n",
		"exited",
	]);
});

needs("Linux 5.14").test("processes: of the sandbox alone, whatever else the user runs", async () => {
	const script =
		"import os,time\nn=0\ntry:\n  while n < 200:\n    if os.fork() == 0: time.sleep(1000)\n    n+=1\nexcept OSError: pass\nprint(n)";
	const few = await run("/usr/bin/python3", ["-c", script], { ...closed, limits: { processes: 20 } });
	expect(Number(few.check().stdout)).toBeLessThan(20);
	expect(Number(few.stdout)).toBeGreaterThan(10);
	if (has("2500 processes at once")) {
		const many = await run("/usr/bin/python3", ["-c", script], closed);
		expect(many.check().stdout).toBe("200\n");
	}
});

test("fileSize, openFiles, addressSpace and cpuTime are limits of the kernel", async () => {
	const shell = async (script: string, limits: NonNullable<Parameters<typeof run>[2]>["limits"]) =>
		run("sh", ["-c", script], { ...closed, limits: limits ?? {} });
	const large = await shell("exec head -c 2m /dev/zero > /tmp/x", { fileSize: 1024 * 1024 });
	expect([large.signal, kinds(large)]).toEqual(["SIGXFSZ", ["limit fileSize"]]);
	expect(
		(
			await shell("ulimit -n; ulimit -v; ulimit -t; ulimit -c", {
				openFiles: 50,
				addressSpace: 1024 ** 3,
				cpuTime: 1500,
			})
		).stdout,
	).toBe("50\n1048576\n2\n0\n");
	const busy = await shell("while :; do :; done", { cpuTime: 1000 });
	expect([busy.signal, kinds(busy)]).toEqual(["SIGXCPU", ["limit cpuTime"]]);
});

test("an aborted command ends, and a sandbox that was aborted before does not begin", async () => {
	const control = new AbortController();
	const child = await start("sh", ["-c", "echo ready; exec sleep 1000"], { ...closed, signal: control.signal });
	child.stdout?.once("data", () => control.abort(new Error("mine")));
	expect(await child.result).toMatchObject({ signal: "SIGTERM", reason: "aborted" });
	await expect(run("true", [], { ...closed, signal: control.signal })).rejects.toMatchObject({
		code: "ABORT_ERR",
		cause: { message: "mine" },
	});
});

test("a command's streams are at hand, and its result", async () => {
	const child = await start("sh", ["-c", "read line; echo got $line; exit 3"], closed);
	let text = "";
	child.stdout?.on("data", (chunk) => {
		text += chunk;
	});
	child.stdin?.end("it\n");
	const result = await child.result;
	await child[Symbol.asyncDispose]();
	expect([result.code, result.reason, result.stdout, text]).toEqual([3, "exited", "", "got it\n"]);
	expect(result.usage.startup).toBeGreaterThan(0);
	expect(result.usage.wall).toBeGreaterThanOrEqual(result.usage.startup);
});

test("input, encoding and arguments arrive as they are", async () => {
	const bytes = Buffer.from([0, 255, 10, 65]);
	expect((await run("cat", [], { ...closed, input: bytes, encoding: "buffer" })).stdout).toEqual(bytes);
	expect((await run("cat", [], { ...closed, input: "text", encoding: "base64" })).stdout).toBe(
		Buffer.from("text").toString("base64"),
	);
	expect((await run("printf", ["%s|", "--", "a\nb", "--help", ""], closed)).stdout).toBe("--|a\nb|--help||");
});

test("a program that is not there is the error of execve(2)", async () => {
	await expect(run("no-such-program", [], closed)).rejects.toMatchObject({ code: "ENOENT", path: "no-such-program" });
	await expect(run("/etc", [], { preset: "closed", read: ["/etc"] })).rejects.toMatchObject({ code: "EACCES" });
	await expect(run("true", [], { ...closed, cwd: "/nowhere" })).rejects.toMatchObject({
		code: "ERR_NEARFAR_SANDBOX_PATH",
	});
});
