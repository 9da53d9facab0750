import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { runFixture } from "../../../test/fixture.ts";
import { mark, marked } from "../../../test/marked.ts";
import { needs } from "../../../test/needs.ts";
import { reason } from "../../../test/reason.ts";
import { Sandbox } from "../src/index.ts";
import "./attempts.ts"; // it opens what lives as long as the process

test("commands share files, processes and loopback", async () => {
	await using sandbox = await Sandbox.open({ preset: "closed" });
	const serve =
		'import http.server as h; s=h.HTTPServer(("127.0.0.1",8001),h.SimpleHTTPRequestHandler); print("up",flush=True); s.serve_forever()';
	const first = await sandbox.run("sh", [
		"-c",
		`echo kept > /tmp/note; (/usr/bin/python3 -c '${serve}' > /tmp/log 2>&1 &); while ! grep -q up /tmp/log; do :; done; echo $TMPDIR`,
	]);
	expect(first.check().stdout).toBe("/tmp\n");
	const get = 'import urllib.request as u; print(u.urlopen("http://127.0.0.1:8001/").status)';
	expect((await sandbox.run("sh", ["-c", `cat /tmp/note; exec /usr/bin/python3 -c '${get}'`])).check().stdout).toBe(
		"kept\n200\n",
	);
	expect(sandbox.guarantees.capabilities).toBe(true);
});

test("a command in an open sandbox is as restricted as one in its own", async () => {
	await using sandbox = await Sandbox.open({ preset: "closed" });
	const { stdout } = (
		await sandbox.run("sh", [
			"-c",
			"grep -E '^(Cap|NoNew|Seccomp:)' /proc/self/status | cut -f2 | tr '\\n' ' '; unshare -U true || echo refused; ls /proc/self/fd | wc -l",
		])
	).check();
	expect(stdout).toBe(`${"0000000000000000 ".repeat(5)}1 2 refused\n4\n`);
	// The tasks of this process can be looked at, for the tests.
	const { report } = await runFixture("sandbox/holder");
	expect(report.map((code: number) => code !== 0)).toEqual([true, true, true, true, true]);
});

needs("/proc").test(
	"SB-22 what a command leaves behind goes on, does not delay the result, and ends with the sandbox",
	async () => {
		const env = mark();
		const sandbox = await Sandbox.open({ preset: "closed", env });
		const result = (
			await sandbox.run("sh", [
				"-c",
				"(setsid sleep 1000 &); until grep -qs sleep /proc/[0-9]*/comm; do :; done; echo done",
			])
		).check();
		expect(result.stdout).toBe("done\n");
		const look = "until cat /proc/[0-9]*/comm | grep -c sleep; do :; done"; // it may not have executed its program yet
		expect((await sandbox.run("sh", ["-c", look])).stdout).toMatch(/^(0\n)*1\n$/);
		await sandbox[Symbol.asyncDispose]();
		expect(marked(env)).toEqual([]);
		await expect(sandbox.run("true")).rejects.toMatchObject({ code: "ERR_NEARFAR_SANDBOX_CLOSED" });
	},
);

test("commands run at the same time, each with its own limits and folder", async () => {
	await using sandbox = await Sandbox.open({ preset: "closed", limits: { time: 60_000 } });
	const results = await Promise.all([
		...[1, 2, 3].map((code) => sandbox.run("sh", ["-c", `exit ${code}`])),
		sandbox.run("sleep", ["1000"], { limits: { time: 100 } }),
		sandbox.run("pwd", [], { cwd: "/tmp", env: { A: "1" } }),
	]);
	expect(results.map(({ code, reason }) => [code, reason])).toEqual([
		[1, "exited"],
		[2, "exited"],
		[3, "exited"],
		[null, "timeout"],
		[0, "exited"],
	]);
	expect(results.at(-1)?.stdout).toBe("/tmp\n");
});

test("SB-06 patterns are expanded when the sandbox is opened, and violations are told until it is closed", async () => {
	const at = mkdtempSync(join(tmpdir(), "nearfar-session-"));
	try {
		writeFileSync(join(at, ".env"), "secret");
		const sandbox = await Sandbox.open({
			preset: "closed",
			write: [at],
			cwd: at,
			hide: ["**/.env"],
			protect: [".mcp.json"],
		});
		const told = (async () => {
			const all: string[] = [];
			for await (const { kind, what } of sandbox.violations) all.push(`${kind} ${what}`);
			return all;
		})();
		expect((await sandbox.run("sh", ["-c", "cat .env; mkdir deep; echo x > deep/.env"])).stdout).toBe("");
		const { violations } = await sandbox.run("sh", ["-c", "echo x > .mcp.json"]);
		expect(violations.map(({ what }) => what)).toEqual([join(at, ".mcp.json")]);
		await sandbox[Symbol.asyncDispose]();
		expect(await told).toEqual([`appeared ${join(at, ".mcp.json")}`, `appeared ${join(at, "deep/.env")}`]);
	} finally {
		rmSync(at, { recursive: true });
	}
});

test.each(["KILL", "STOP"])(
	"a command that sends SIG%s to process 2 ends the sandbox, and Node waits for nothing",
	async (signal) => {
		await using sandbox = await Sandbox.open({ preset: "closed" });
		await sandbox.run("sh", ["-c", `kill -${signal} 2; sleep 1000`]).catch(() => {});
		await expect(sandbox.run("true")).rejects.toMatchObject({ code: expect.stringMatching(/^ERR_NEARFAR_/) });
	},
);

test("the signal of a sandbox ends its commands", async () => {
	const control = new AbortController();
	await using sandbox = await Sandbox.open({ preset: "closed", signal: control.signal });
	const child = await sandbox.start("sh", ["-c", "echo ready; exec sleep 1000"]);
	child.stdout?.once("data", () => control.abort());
	expect(await child.result).toMatchObject({ reason: "aborted", signal: "SIGTERM" });
});

test("a command that stops the tasks of others does not keep a command with a time from ending", async () => {
	await using sandbox = await Sandbox.open({ preset: "closed" });
	const stopper = `while :; do for p in /proc/[3-9] /proc/[1-9][0-9]*; do [ $p = /proc/$$ ] || kill -STOP \${p#/proc/}; done; done 2> /dev/null`;
	const hostile = await sandbox.start("sh", ["-c", stopper], { stdio: ["ignore", "ignore", "ignore"] });
	for (let round = 0; round < 2; round++) {
		const ended = await sandbox.run("sleep", ["1000"], { limits: { time: 100 }, grace: 0 }).catch((error) => error);
		const isLate = ended.code === "ERR_NEARFAR_SANDBOX_LIMIT";
		expect([ended.reason, isLate]).toEqual(isLate ? [undefined, true] : ["timeout", false]);
	}
	hostile.kill("SIGKILL");
	expect((await hostile.result).signal).toBe("SIGKILL");
});

test("a sandbox that is closed meanwhile refuses what has not begun", async () => {
	const sandbox = await Sandbox.open({ preset: "closed" });
	const outcomes = [sandbox.run("sleep", ["1000"]), sandbox.connect(9)].map((each) => each.catch((error) => error));
	await sandbox[Symbol.asyncDispose]();
	const [ran, connected] = await Promise.all(outcomes);
	const closed = { code: "ERR_NEARFAR_SANDBOX_CLOSED" };
	// What has begun may be quicker than the end: no program listens there.
	expect(["ECONNREFUSED", closed.code]).toContain(connected.code);
	expect(ran).toMatchObject(ran instanceof Error ? closed : { signal: "SIGKILL" });
	expect(await reason(() => sandbox.connect(9))).toMatchObject(closed);
	expect(await reason(() => sandbox.run("true"))).toMatchObject(closed);
});
