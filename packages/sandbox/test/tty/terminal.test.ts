import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { setImmediate } from "node:timers/promises";
import type { Spawned } from "@nearfar/process";
import { expect, test } from "vitest";
import { mark, marked } from "../../../../test/marked.ts";
import { needs } from "../../../../test/needs.ts";
import { refusal } from "../../../../test/refusal.ts";
import { run, Sandbox, start } from "../../src/index.ts";
import "../attempts.ts"; // it opens what lives as long as the process
import { Screen } from "./screen.ts";

const terminal = { preset: "closed", tty: true } as const;
const shell = (script: string, options = {}) => run("sh", ["-c", script], { ...terminal, ...options });

test("a terminal is 0, 1 and 2 and the controlling terminal of a session of its own, and there is no other descriptor", async () => {
	const { stdout } = (
		await shell(
			"tty; stty size; ls /proc/self/fd | tr '\\n' ' '; echo; echo $$ $(cut -d' ' -f5,6,8 /proc/$$/stat); echo through > /dev/tty",
			{ tty: { columns: 300, rows: 65535 } },
		)
	).check();
	const [name, size, descriptors, ids = "", through] = stdout.split("\r\n");
	expect([name, size, descriptors, through]).toEqual(["/dev/pts/0", "65535 300", "0 1 2 3 ", "through"]);
	expect(new Set(ids.split(" "))).toHaveLength(1); // pid, process group, session and foreground process group
	expect((await shell("stty size")).stdout).toBe("24 80\r\n");
});

test("standard output and standard error are one stream, and the result has it as its standard output", async () => {
	const result = await shell("echo one; echo two >&2; exit 3");
	expect([result.code, result.reason, result.stdout, result.stderr]).toEqual([3, "exited", "one\r\ntwo\r\n", ""]);
	const bytes = await run("printf", ["\\377"], { ...terminal, encoding: "buffer" });
	expect([bytes.stdout, bytes.stderr]).toEqual([Buffer.of(255), Buffer.alloc(0)]);
	expect((await run("true", [], { ...terminal, tty: false })).stdout).toBe("");
});

test("`input` is typed, and then Ctrl-D, whether or not its last line is complete", async () => {
	for (const input of ["", "one\n", "one\ntwo", Buffer.from("one\r\ntwo\r")]) {
		const { stdout } = (await shell("cat > /tmp/x; echo; wc -c < /tmp/x", { input })).check();
		expect([input, stdout.split("\r\n").at(-2)]).toEqual([input, `${input.length}`]);
	}
});

test("the stream ends without an error when no process has the terminal open, and the command goes on", async () => {
	const script = "trap 'exit 5' TERM; echo shown; exec 3<>/tmp/x; exec <&3 >&3 2>&3; sleep 1000 & wait";
	const child = await start("sh", ["-c", script], terminal);
	let shown = "";
	for await (const chunk of child.pty ?? []) shown += chunk;
	expect([shown, child.death]).toEqual(["shown\r\n", undefined]);
	child.kill("SIGTERM");
	expect(await child.result).toMatchObject({ code: 5, reason: "exited" });
});

needs("/proc").test(
	"SB-22 a process that holds the terminal delays neither the result nor the end of the stream",
	async () => {
		const script = "trap '' HUP; (setsid sh -c 'trap \"\" HUP; echo $$; exec sleep 1000' &); read line; echo done";
		const env = mark();
		const result = await run("sh", ["-c", script], { ...terminal, env, input: "go\n" });
		expect([result.stdout, result.reason, result.truncated.stdout]).toEqual([
			expect.stringContaining("done\r\n"),
			"exited",
			false,
		]);
		expect(marked(env)).toEqual([]);
		await using sandbox = await Sandbox.open({ preset: "closed", env });
		const child = await sandbox.start("sh", ["-c", script], { tty: true });
		const screen = new Screen(child.pty);
		await screen.until("\r\n");
		screen.type("go\r");
		await screen.until("done\r\n");
		expect(await child.result).toMatchObject({ code: 0, reason: "exited" });
		await new Promise((resolve) => child.pty?.closed || child.pty?.once("close", resolve));
		const look = "until cat /proc/[0-9]*/comm | grep -x sleep; do :; done"; // it may not have executed its program yet
		expect((await sandbox.run("sh", ["-c", look])).stdout).toBe("sleep\n");
	},
);

test("what a command has shown before its end arrives, also when it is read later, or never", async () => {
	const child = await start("sh", ["-c", "seq 1000; echo last"], terminal);
	await child.result;
	let shown = "";
	for await (const chunk of child.pty ?? []) shown += chunk;
	expect(shown).toMatch(/^1\r\n2\r\n.*\r\n1000\r\nlast\r\n$/s);
	const never = await start("sh", ["-c", "seq 1000"], terminal);
	expect((await never.result).code).toBe(0); // the check for leaks finds no descriptor
	expect(never.pty?.write("late")).toBe(true);
	never.pty?.resize(10, 10);
});

test("10 MB go through a terminal each way, and a reader that waits makes the command wait", async () => {
	const length = 10_000_000;
	const shown = await start("sh", ["-c", `stty raw; head -c ${length} /dev/zero | tr '\\0' 'x'`], terminal);
	const { pty } = shown;
	if (!pty) throw new Error("no terminal");
	await once(pty, "readable");
	await setImmediate();
	expect(pty.readableLength).toBeLessThan(length / 10);
	expect(shown.death).toBe(undefined);
	let seen = 0;
	for await (const chunk of pty) seen += chunk.toString("latin1").replaceAll("x", "").length === 0 ? chunk.length : 0;
	expect([seen, (await shown.result).code]).toEqual([length, 0]);

	const bytes = randomBytes(length);
	const typed = await start("sh", ["-c", `stty raw -echo; echo go; head -c ${length} | sha256sum`], terminal);
	const screen = new Screen(typed.pty);
	await screen.until("go");
	expect(typed.pty?.write(bytes)).toBe(false);
	await screen.until(createHash("sha256").update(bytes).digest("hex"));
	expect((await typed.result).code).toBe(0);
});

test("a character whose bytes are read one by one is one character", async () => {
	const script =
		'stty raw -echo; printf go; for byte in 342 202 254 056; do head -c 1 > /tmp/key; printf "\\\\$byte"; done';
	const [bytes, text] = [await start("sh", ["-c", script], terminal), await start("sh", ["-c", script], terminal)];
	const reads: string[] = [];
	bytes.pty?.on("data", (chunk) => {
		reads.push(chunk.toString("latin1"));
		bytes.pty?.write("k");
	});
	await bytes.result;
	expect(reads.slice(0, 4)).toEqual(["go", "\xe2", "\x82", "\xac"]);
	const screen = new Screen(text.pty);
	await screen.until("go");
	expect(await screen.type("kkkk").until(".")).toBe("€");
	await text.result;
});

needs("/proc").test("disposal, abort and the limits of time and output end a command with a terminal", async () => {
	const env = mark();
	const script = "echo ready; (setsid sleep 1000 &); exec sleep 1000";
	const timed = await shell(script, { env, limits: { time: 2000 } });
	expect([timed.signal, timed.reason, timed.stdout]).toEqual(["SIGTERM", "timeout", "ready\r\n"]);
	const long = await shell("yes", { env, limits: { output: 1000 } });
	expect([long.reason, long.stdout.length, long.truncated]).toEqual(["output", 1000, { stdout: true, stderr: false }]);
	const counted = await start("yes", [], { ...terminal, env, limits: { output: 100_000 } });
	counted.pty?.resume();
	expect(await counted.result).toMatchObject({ reason: "output", truncated: { stdout: true }, stdout: "" });
	const control = new AbortController();
	const aborted = await start("sh", ["-c", script], { ...terminal, env, signal: control.signal });
	await new Screen(aborted.pty).until("ready");
	control.abort();
	expect(await aborted.result).toMatchObject({ reason: "aborted", signal: "SIGTERM" });
	const disposed = await start("sh", ["-c", script], { ...terminal, env });
	await disposed[Symbol.asyncDispose]();
	expect(await disposed.result).toMatchObject({ reason: "killed", signal: "SIGKILL" });
	expect(marked(env)).toEqual([]);
});

test("`destroy` closes the terminal, and the command gets SIGHUP", async () => {
	const child = await start("sh", ["-c", "echo ready; exec sleep 1000"], terminal);
	await new Screen(child.pty).until("ready");
	child.pty?.destroy();
	expect(await child.result).toMatchObject({ reason: "killed", signal: "SIGHUP" });
});

test("a mistake in the options of a terminal is refused before anything happens", async () => {
	for (const [options, code] of [
		[{ tty: { columns: 0, rows: 1 } }, "ERR_OUT_OF_RANGE"],
		[{ tty: { columns: 1, rows: 65536 } }, "ERR_OUT_OF_RANGE"],
		[{ tty: { columns: 1 } }, "ERR_INVALID_ARG_TYPE"],
		[{ tty: { columns: 1, rows: 1, width: 1 } }, "ERR_INVALID_ARG_VALUE"],
		[{ tty: "yes" }, "ERR_INVALID_ARG_TYPE"],
		[{ stdio: ["pipe"] }, "ERR_INVALID_ARG_VALUE"],
		[{ stdio: [null, null, "inherit"] }, "ERR_INVALID_ARG_VALUE"],
	] as const) {
		await expect(run("true", [], { ...terminal, ...options } as object)).rejects.toMatchObject({ code });
	}
	const child = await start("sh", ["-c", "read line; echo into 3 >&3"], {
		...terminal,
		stdio: [null, null, null, "pipe"],
	});
	for (const [columns, rows] of [
		[0, 1],
		[1, 65536],
	] as const) {
		expect(refusal(() => child.pty?.resize(columns, rows))).toMatchObject({ code: "ERR_OUT_OF_RANGE" });
	}
	expect([child.stdin, child.stdout, child.stderr]).toEqual([null, null, null]);
	const [, , , other] = (child as unknown as Spawned).stdio;
	child.pty?.write("\r");
	expect(`${(await other?.toArray())?.join("")}`).toBe("into 3\n");
	await child.result;
});

test("a program that is not there leaves no terminal behind", async () => {
	await expect(run("no-such-program", [], terminal)).rejects.toMatchObject({ code: "ENOENT" });
	await using sandbox = await Sandbox.open({ preset: "closed" });
	await expect(sandbox.start("no-such-program", [], { tty: true })).rejects.toMatchObject({ code: "ENOENT" });
	expect((await sandbox.run("ls", ["/dev/pts"])).stdout).toBe("ptmx\n");
});
