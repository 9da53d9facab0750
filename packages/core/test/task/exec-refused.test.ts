import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { needs } from "../../../../test/needs.ts";
import { ownProc } from "../../../../test/own-proc.ts";
import { reason } from "../../../../test/reason.ts";
import { openat2, Task } from "../../src/index.ts";
import { program } from "../executable.ts";
import { output } from "../output.ts";

const folder = mkdtempSync(join(tmpdir(), "nearfar-exec-"));
const noExec = program(folder, "no-exec", "#!/bin/sh\n", 0o644);
const noInterpreter = program(folder, "no-interpreter", "echo\n", 0o755);
const badInterpreter = program(folder, "bad-interpreter", "#!/nope\n", 0o755);
afterAll(() => rmSync(folder, { recursive: true }));

const getpid = process.arch === "x64" ? 39 : 172;

describe("a refused exec says why, and leaves the task usable", () => {
	const refused: [code: string, path: string, argv: string[]][] = [
		["ENOENT", "/nope", ["nope"]],
		["ENOENT", "", [""]],
		["ENOTDIR", "/dev/null/x", ["x"]],
		["EACCES", "/usr", ["usr"]],
		["EACCES", noExec, ["no-exec"]],
		["E2BIG", "/bin/true", ["true", "x".repeat(2 ** 22)]],
		["E2BIG", "/bin/true", Array.from({ length: 100_000 }, () => "x".repeat(100))],
		["ENAMETOOLONG", `/${"x".repeat(256)}`, ["x"]],
		["ENOENT", "nearfar-nope", ["nope"]],
	];
	const interpreters: typeof refused = [
		["ENOENT", badInterpreter, [""]],
		["ENOEXEC", noInterpreter, ["no-interpreter"]],
	];
	test.each(refused)("%s %s", isRefused);
	needs("a temporary folder whose files can be executed").test.each(interpreters)("%s %s", isRefused);

	async function isRefused(code: string, path: string, argv: string[]): Promise<void> {
		await using task = await Task.clone();
		using kept = task.run(() => openat2("/dev/null"));
		const error = await reason(() => task.exec(path, argv, { fds: [kept], env: { PATH: "/usr/bin:/nope" } }));
		expect(error).toMatchObject({ name: "SyscallError", code, syscall: "execve", task: task.toString() });
		expect(task.state).toBe("live");
		expect(task.process.command).toBeUndefined();
		expect(task.syscall(getpid)).toBe(BigInt(task.pid));
		expect(kept.closeOnExec).toBe(true);
		const { text } = await output("/bin/echo", ["echo", "said"], { task });
		expect(text).toBe("said\n");
	}

	test("by descriptor", async () => {
		await using task = await Task.clone();
		using file = task.run(() => openat2("/usr"));
		expect(await reason(() => task.exec(file))).toMatchObject({ code: "EACCES", syscall: "execveat" });
		expect(task.syscall(getpid)).toBe(BigInt(task.pid));
	});

	test("stdio that was among `fds` stays open", async () => {
		await using task = await Task.clone();
		using null_ = task.run(() => openat2("/dev/null"));
		const stdin = task.run(() => null_.dupTo(0));
		expect(await reason(() => task.exec("/nope", [], { fds: [stdin] }))).toMatchObject({ code: "ENOENT" });
		const { text } = await output("/bin/readlink", ["readlink", `${ownProc}/self/fd/0`], { task });
		expect(text).toBe("/dev/null\n");
	});
});
