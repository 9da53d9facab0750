// What the error of a refused exec names: the program that was asked for, the file that was refused, the missing interpreter.
import { chmodSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { needs } from "../../../../test/needs.ts";
import { becomeOrdinary } from "../../../../test/ordinary.ts";
import { reason } from "../../../../test/reason.ts";
import { chdir, type ExecOptions, type FileDescriptor, openat2, SyscallError, Task } from "../../src/index.ts";
import { program } from "../executable.ts";

const folder = mkdtempSync(join(tmpdir(), "nearfar-reason-"));
const [closed, open, later] = ["closed", "open", "later"].map((name) => join(folder, name)) as [string, string, string];
for (const name of [closed, open, later]) mkdirSync(name);
program(closed, "hidden", "#!/bin/sh\n", 0o755);
chmodSync(closed, 0o600);
chmodSync(folder, 0o755);
program(open, "refused", "#!/bin/sh\n", 0o644);
program(later, "refused", "#!/bin/sh\n", 0o600);
program(open, "script", "#!  /nope/interpreter -x\nexit\n", 0o755);
program(open, "unreadable", "#!/nope/interpreter\n", 0o111);
program(open, "fine", "#!/bin/sh\nexit 7\n", 0o755);
program(open, "windows", "#!/bin/sh\r\nexit\r\n", 0o755);
program(open, "elf", elf("/nope/ld.so"), 0o755);
afterAll(() => {
	chmodSync(closed, 0o700);
	rmSync(folder, { recursive: true });
});
const executable = needs("a temporary folder whose files can be executed");

/** Returns the errors of an exec that is refused: of one call, and of a batch. */
async function refusals(
	file: string | ((task: Task) => FileDescriptor),
	options?: ExecOptions,
): Promise<SyscallError[]> {
	const errors = [];
	for (const way of ["run", "batch"] as const) {
		await using task = await Task.clone();
		becomeOrdinary(task);
		const path = typeof file === "string" ? file : file(task);
		const exec = () => task.exec(path, ["x"], options);
		const error = await reason(() => (way === "run" ? exec() : task.batch(exec)));
		expect(error).toBeInstanceOf(SyscallError);
		expect(error).toMatchObject({ task: `${task}` });
		expect((error as SyscallError).message).toContain(`in ${task}`);
		expect(task.state).toBe("live");
		errors.push(error as SyscallError);
	}
	return errors;
}

async function expectRefusal(
	file: Parameters<typeof refusals>[0],
	options: ExecOptions | undefined,
	expected: { code: string; path?: string; syscall?: string },
	...words: string[]
): Promise<void> {
	for (const error of await refusals(file, options)) {
		expect(error).toMatchObject({ syscall: "execve", ...expected });
		for (const word of words) expect(error.message).toContain(word);
	}
}

describe("a program that no folder of PATH has is ENOENT of its name", () => {
	test.each<[where: string, env: Record<string, string>]>([
		["PATH has folders that exist", { PATH: `${open}:${later}` }],
		["a folder of PATH does not exist", { PATH: `/nope:${open}` }],
		["a folder of PATH may not be searched", { PATH: `${closed}:${open}` }],
		["the one folder of PATH may not be searched", { PATH: closed }],
		["an entry of PATH is a file", { PATH: "/etc/passwd" }],
		["a folder of PATH is relative", { PATH: "nope" }],
		["PATH is empty", { PATH: "" }],
		["PATH is not set", {}],
	])("%s", async (_, env) => {
		await expectRefusal(
			"no-such",
			{ env },
			{ code: "ENOENT", path: "no-such" },
			"no such program in PATH",
			"'no-such'",
		);
	});

	test("an empty name", async () => {
		await expectRefusal("", undefined, { code: "ENOENT", path: "" }, "''");
	});
});

describe("the message says which folders stand for PATH", () => {
	test("PATH is not set", () => expectRefusal("no-such", { env: {} }, { code: "ENOENT" }, "/bin:/usr/bin"));
	test("PATH is empty", () => expectRefusal("no-such", { env: { PATH: "" } }, { code: "ENOENT" }, "working directory"));
});

describe("EACCES names the file that was found and refused", () => {
	test("the first one of several", async () => {
		const env = { PATH: `${closed}:/nope:${open}:${later}` };
		await expectRefusal("refused", { env }, { code: "EACCES", path: join(open, "refused") });
	});

	test("below a relative folder of PATH", async () => {
		await using task = await Task.clone();
		becomeOrdinary(task);
		task.run(() => chdir(folder));
		const error = await reason(() => task.exec("refused", [], { env: { PATH: "closed:open" } }));
		expect(error).toMatchObject({ code: "EACCES", path: "open/refused" });
	});

	test("a folder of that name", async () => {
		await expectRefusal("open", { env: { PATH: folder } }, { code: "EACCES", path: open });
	});

	test("a path is not looked for", async () => {
		await expectRefusal(join(closed, "hidden"), undefined, { code: "EACCES", path: join(closed, "hidden") });
		await expectRefusal("./no-such", undefined, { code: "ENOENT", path: "./no-such" }, "'./no-such'");
		await expectRefusal("no-such", { lookup: false }, { code: "ENOENT", path: "no-such" }, "no such file");
	});
});

executable.describe("ENOENT of a file that is there names the missing interpreter", () => {
	const interpreters: [name: string, ...words: string[]][] = [
		["script", "interpreter '/nope/interpreter'"],
		["windows", "interpreter '/bin/sh\\r'"],
		["elf", "interpreter '/nope/ld.so'"],
		["unreadable", "interpreter"],
	];
	test.each(interpreters)("%s", async (name, ...words) => {
		const path = join(open, name);
		await expectRefusal(path, undefined, { code: "ENOENT", path }, ...words);
		await expectRefusal(name, { env: { PATH: `/nope:${open}` } }, { code: "ENOENT", path }, ...words);
		await expectRefusal(name, { env: { PATH: `${closed}:${open}` } }, { code: "ENOENT", path }, ...words);
	});
});

needs("/proc", "a temporary folder whose files can be executed").describe(
	"an exec by descriptor names the descriptor and its file",
	() => {
		const opened =
			(name: string, flags: "path" | "rdonly" = "rdonly") =>
			(task: Task) =>
				task.run(() => openat2(join(open, name), { flags: [flags] }));

		test.each(["rdonly", "path"] as const)("a script, opened with %s", async (flags) => {
			const expected = { code: "ENOENT", syscall: "execveat", path: join(open, "fine") };
			await expectRefusal(opened("fine", flags), undefined, expected, "fd 3", `'${join(open, "fine")}'`, "script");
		});

		test("a program whose interpreter is missing", async () => {
			const expected = { code: "ENOENT", syscall: "execveat", path: join(open, "elf") };
			await expectRefusal(opened("elf"), undefined, expected, "fd 3", "interpreter '/nope/ld.so'");
		});

		test("a file that may not be executed", async () => {
			const expected = { code: "EACCES", syscall: "execveat", path: join(open, "refused") };
			await expectRefusal(opened("refused"), undefined, expected, "fd 3");
		});

		test("a descriptor that the batch opens", async () => {
			await using task = await Task.clone();
			const path = join(open, "fine");
			const error = await reason(() => task.batch(() => task.exec(openat2(path))));
			expect(error).toMatchObject({ code: "ENOENT", syscall: "execveat", path, step: 1 });
		});
	},
);

/** Returns an executable that needs an interpreter, as the kernel reads it. */
function elf(interpreter: string): Buffer {
	const bytes = Buffer.alloc(4096);
	bytes.write("\x7fELF\x02\x01\x01", "latin1");
	bytes.writeUInt16LE(3, 16); // ET_DYN
	bytes.writeUInt16LE(process.arch === "arm64" ? 183 : 62, 18);
	bytes.writeUInt32LE(1, 20);
	bytes.writeBigUInt64LE(64n, 32); // the offset of the program headers
	bytes.writeUInt16LE(64, 52);
	bytes.writeUInt16LE(56, 54); // the size of a program header
	bytes.writeUInt16LE(1, 56); // how many there are
	bytes.writeUInt32LE(3, 64); // PT_INTERP
	bytes.writeBigUInt64LE(120n, 72);
	bytes.writeBigUInt64LE(BigInt(interpreter.length + 1), 96);
	bytes.write(`${interpreter}\0`, 120);
	return bytes;
}

test("a missing folder of the program is not taken for its interpreter", async () => {
	await expectRefusal(
		join(folder, "nope/x"),
		undefined,
		{ code: "ENOENT", path: join(folder, "nope/x") },
		"no such file",
	);
});
