// What the error of a program that cannot be started names.
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openat2, type SyscallError } from "@nearfar/core";
import { afterAll, expect, test } from "vitest";
import { needs } from "../../../../test/needs.ts";
import { reason } from "../../../../test/reason.ts";
import { run, type SpawnOptions, spawn } from "../../src/index.ts";

const folder = mkdtempSync(join(tmpdir(), "nearfar-not-found-"));
const [script, orphan] = [join(folder, "script"), join(folder, "orphan")];
writeFileSync(script, "#!/bin/sh\n", { mode: 0o755 });
writeFileSync(orphan, "#!/nope/interpreter\n", { mode: 0o755 });
chmodSync(folder, 0o755);
afterAll(() => rmSync(folder, { recursive: true }));
const executable = needs("a temporary folder whose files can be executed");

const ways: [way: string, (file: Parameters<typeof spawn>[0], options?: SpawnOptions) => Promise<unknown>][] = [
	["spawn", (file, options) => spawn(file, [], options)],
	["run", (file, options) => run(file, [], options)],
	["spawn with killTree", (file, options) => spawn(file, [], { ...options, killTree: true })],
	["spawn with setup", (file, options) => spawn(file, [], { ...options, setup: () => {} })],
];

test.each(ways)("%s names the program that is not in PATH", async (_, start) => {
	const error = (await reason(() => start("no-such"))) as SyscallError;
	expect(error).toMatchObject({ name: "SyscallError", code: "ENOENT", errno: -2, syscall: "execve", path: "no-such" });
	expect(error.message).toContain("no such program in PATH, spawn 'no-such'");
});

test.each(ways)("%s names the path that does not exist", async (_, start) => {
	for (const path of ["/no/such", "./no-such"]) {
		const error = (await reason(() => start(path))) as SyscallError;
		expect(error).toMatchObject({ code: "ENOENT", path });
		expect(error.message).toContain(`spawn '${path}'`);
	}
});

test.each(ways)("%s names the working directory that does not exist, and not the program", async (_, start) => {
	for (const cwd of ["/no/such", new URL("file:///no/such")]) {
		const error = (await reason(() => start("true", { cwd }))) as SyscallError;
		expect(error).toMatchObject({ code: "ENOENT", syscall: "chdir", path: "/no/such" });
	}
});

executable.test.each(ways)("%s names the missing interpreter of a script", async (_, start) => {
	const error = (await reason(() => start(orphan))) as SyscallError;
	expect(error).toMatchObject({ code: "ENOENT", syscall: "execve", path: orphan });
	expect(error.message).toContain("'/nope/interpreter'");
});

needs("/proc", "a temporary folder whose files can be executed").test.each(ways)(
	"%s names the descriptor of this process, and its file",
	async (_, start) => {
		using file = openat2(script);
		const error = (await reason(() => start(file))) as SyscallError;
		expect(error).toMatchObject({ code: "ENOENT", syscall: "execveat", path: script });
		for (const words of ["script", `spawn fd ${file.fd} '${script}'`]) expect(error.message).toContain(words);
	},
);
