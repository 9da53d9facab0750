import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { runFixture } from "../../../../test/fixture.ts";
import { needs } from "../../../../test/needs.ts";
import { ownProc } from "../../../../test/own-proc.ts";
import { reason } from "../../../../test/reason.ts";
import { FileDescriptor, openat2, pipe, Task } from "../../src/index.ts";
import { program } from "../executable.ts";
import { output } from "../output.ts";

const folder = mkdtempSync(join(tmpdir(), "nearfar-exec-"));
program(folder, "said", "#!/bin/sh\necho said\n", 0o755);
const noInterpreter = program(folder, "no-interpreter", "echo\n", 0o755);
mkdirSync(join(folder, "denied"));
writeFileSync(join(folder, "denied/said"), "");
afterAll(() => rmSync(folder, { recursive: true }));

describe("PATH", () => {
	const env = (...folders: string[]) => ({ env: { PATH: folders.join(":") } });

	needs("a temporary folder whose files can be executed").test(
		"is searched where the path has no slash, in its order, inside the task",
		async () => {
			const { text, child } = await output("said", undefined, env("/nope", "/dev/null", folder));
			expect(text).toBe("said\n");
			expect(child.command).toEqual({ path: "said", argv: ["said"] });
		},
	);

	test("is that of the program's environment, or the usual one", async () => {
		expect((await output("echo", ["echo", "usual"], { env: {} })).text).toBe("usual\n");
		await using task = await Task.clone();
		expect(await reason(() => task.exec("echo", [], env("/nope")))).toMatchObject({
			code: "ENOENT",
			syscall: "execve",
		});
		expect(await reason(() => task.exec("echo", [], env("")))).toMatchObject({ code: "ENOENT", syscall: "execve" });
	});

	needs("a temporary folder whose files can be executed").test(
		"a file that may not be executed is passed over, and reported where nothing else is",
		async () => {
			expect((await output("said", undefined, env(join(folder, "denied"), folder))).text).toBe("said\n");
			await using task = await Task.clone();
			const denied = await reason(() => task.exec("said", [], env(join(folder, "denied"), "/nope")));
			expect(denied).toMatchObject({ code: "EACCES", syscall: "execve", path: join(folder, "denied/said") });
			const bad = await reason(() => task.exec("no-interpreter", [], env("/nope", folder)));
			expect(bad).toMatchObject({ code: "ENOEXEC", path: noInterpreter });
		},
	);

	test("is not searched with lookup: false, and never for a path with a slash", async () => {
		await using task = await Task.clone();
		expect(await reason(() => task.exec("echo", [], { lookup: false }))).toMatchObject({
			code: "ENOENT",
			path: "echo",
		});
		const slash = { ...env("/bin"), lookup: true };
		expect(await reason(() => task.exec("./echo", [], slash))).toMatchObject({ code: "ENOENT", path: "./echo" });
	});
});

describe("the program gets", () => {
	test("argv as it is, argv[0] too, and 256 KiB of it", async () => {
		const script = ["-c", 'printf "%s|" "$0" "$@"'];
		expect((await output("/bin/sh", ["zero", ...script, "a", "", "é"])).text).toBe("a||é|");
		const long = Array.from({ length: 64 }, (_, index) => `${index}`.padEnd(4096, "x"));
		const { text } = await output("/bin/sh", ["sh", ...script, ...long]);
		expect(text).toBe(`${long.join("|")}|`);
		const name = await output("/bin/cat", ["zero", `${ownProc}/self/cmdline`]);
		expect(name.text).toBe(`zero\0${ownProc}/self/cmdline\0`);
	});

	test("its environment as it is now, however the same object was changed since the last program", async () => {
		let count = 0;
		const counting = { toString: () => `${++count}` } as unknown as string;
		const env: Record<string, string | undefined> = { A: "1", B: "2" };
		const seen = async () => (await output("/usr/bin/env", undefined, { env })).text;
		expect(await seen()).toBe("A=1\nB=2\n");
		env.A = "3";
		expect(await seen()).toBe("A=3\nB=2\n");
		delete env.A;
		expect(await seen()).toBe("B=2\n");
		env.A = "3";
		expect(await seen()).toBe("B=2\nA=3\n");
		env.A = undefined;
		expect(await seen()).toBe("B=2\n");
		env.A = counting;
		expect([await seen(), await seen()]).toEqual(["B=2\nA=1\n", "B=2\nA=2\n"]);
	});

	test("its environment and no other, or Node's as it is now", async () => {
		expect((await output("/usr/bin/env", undefined, { env: { A: "1", B: undefined, C: "" } })).text).toBe("A=1\nC=\n");
		process.env.NEARFAR_NOW = "now";
		expect((await output("/usr/bin/env")).text).toMatch(/^NEARFAR_NOW=now$/m);
		delete process.env.NEARFAR_NOW;
		expect((await output("/usr/bin/env")).text).not.toMatch(/^NEARFAR_NOW=/m);
	});

	test("FDX-03 stdio and the descriptors asked for, at their numbers, and nothing else", async () => {
		const task = await Task.clone();
		using near = openat2("/dev/zero");
		const kept = task.run(() => openat2("/dev/null").dup({ min: 77 }));
		task.run(() => openat2("/", { flags: ["path"] }));
		task.put(near, { closeOnExec: false });
		task.syscall(process.arch === "x64" ? 32 : 23, near.fd === 3 ? 4 : 1); // dup: not close-on-exec
		const { text } = await output("/bin/ls", ["ls", `${ownProc}/self/fd`], { task, fds: [kept] });
		const opened = 3; // ls opens the folder itself
		expect(text.trim().split("\n").map(Number)).toEqual([0, 1, 2, opened, 77]);
	});

	test("stdio that was replaced, though what replaced it is close-on-exec", async () => {
		const task = await Task.clone();
		task.run(() => openat2("/dev/null").dupTo(0));
		expect((await output("/bin/readlink", ["readlink", `${ownProc}/self/fd/0`], { task })).text).toBe("/dev/null\n");
	});

	test("signals at their defaults and unblocked, whatever the task and Node made of theirs", async () => {
		const task = await Task.clone();
		const [sigaction, sigprocmask] = process.arch === "x64" ? [13, 14] : [134, 135];
		const ignore = Buffer.alloc(32);
		ignore.writeBigUInt64LE(1n); // SIG_IGN
		for (const signal of [1, 13, 17, 64]) task.syscall(sigaction, signal, ignore, 0, 8);
		task.syscall(sigprocmask, 2, Buffer.alloc(8, 0xff), 0, 8);
		const { text } = await output("/bin/cat", ["cat", `${ownProc}/self/status`], { task });
		for (const name of ["SigBlk", "SigIgn", "SigCgt"]) expect(text).toMatch(new RegExp(`^${name}:\\s*0+$`, "m"));
	});
});

test("by descriptor, of a program and of the folder it is in", async () => {
	const task = await Task.clone();
	const file = task.run(() => openat2("/bin/echo", { flags: ["path"] }));
	const { text, child } = await output(file, ["echo", "by descriptor"], { task });
	expect(text).toBe("by descriptor\n");
	expect(child.command).toEqual({ path: `fd ${file.fd}`, argv: ["echo", "by descriptor"] });
	expect(file).toBeInstanceOf(FileDescriptor);
});

test("a program outlives nothing it was not told to: deathSignal is set after exec", async () => {
	const task = await Task.clone();
	const [read, write] = task.run(() => pipe());
	const child = task.exec("/bin/sleep", ["sleep", "1000"], { deathSignal: "SIGTERM", fds: [read, write] });
	expect(child.command?.path).toBe("/bin/sleep");
	await child[Symbol.asyncDispose]();
});

test.each(["begin", "exec", "batch", "busy"])("Node's nonblocking stdio blocks in a program: %s", async (way) => {
	const { report, code } = await runFixture("core/nonblocking-stdio", { args: [way] });
	expect([code, report]).toEqual([0, { before: false, after: true, number: 0 }]);
});
