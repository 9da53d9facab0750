import { once } from "node:events";
import { chmodSync, mkdtempSync, readlinkSync, realpathSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { afterEach, beforeEach, expect, test } from "vitest";
import { needs } from "../../../../test/needs.ts";
import { chdir, Location, mkdir, openat2, pipe, symlink, Task } from "../../src/index.ts";

const long = "n".repeat(256);
let folder: string;

beforeEach(() => {
	folder = mkdtempSync(join(realpathSync(tmpdir()), "nearfar-tree-"));
	writeFileSync(join(folder, "file"), "");
	symlink("loop", join(folder, "loop"));
});

afterEach(() => {
	chmodSync(folder, 0o700);
	rmSync(folder, { recursive: true });
});

/** Returns the working directory of a task. */
function place(task: Task): string {
	return readlinkSync(`/proc/${task.pid}/cwd`);
}

const refusals: [string, (at: (name: string) => string) => void, string, string][] = [
	["mkdir where something is", (at) => mkdir(at("file")), "EEXIST", "mkdirat"],
	["mkdir where a link is", (at) => mkdir(at("loop")), "EEXIST", "mkdirat"],
	["mkdir without a parent", (at) => mkdir(at("none/new")), "ENOENT", "mkdirat"],
	["mkdir of nothing", () => mkdir(""), "ENOENT", "mkdirat"],
	["mkdir below a file", (at) => mkdir(at("file/new")), "ENOTDIR", "mkdirat"],
	["mkdir through a loop", (at) => mkdir(at("loop/new")), "ELOOP", "mkdirat"],
	["mkdir of a name too long", (at) => mkdir(at(long)), "ENAMETOOLONG", "mkdirat"],
	["symlink where something is", (at) => symlink("x", at("file")), "EEXIST", "symlinkat"],
	["symlink without a parent", (at) => symlink("x", at("none/new")), "ENOENT", "symlinkat"],
	["symlink to nothing", (at) => symlink("", at("new")), "ENOENT", "symlinkat"],
	["symlink below a file", (at) => symlink("x", at("file/new")), "ENOTDIR", "symlinkat"],
	["symlink through a loop", (at) => symlink("x", at("loop/new")), "ELOOP", "symlinkat"],
	["symlink of a name too long", (at) => symlink("x", at(long)), "ENAMETOOLONG", "symlinkat"],
	["chdir to nothing", () => chdir(""), "ENOENT", "chdir"],
	["chdir to what is missing", (at) => chdir(at("none")), "ENOENT", "chdir"],
	["chdir to a file", (at) => chdir(at("file")), "ENOTDIR", "chdir"],
	["chdir through a loop", (at) => chdir(at("loop")), "ELOOP", "chdir"],
	["chdir to a name too long", (at) => chdir(at(long)), "ENAMETOOLONG", "chdir"],
];

test.each(refusals)("%s", async (_, call, code, syscall) => {
	await using task = await Task.clone();
	expect(() => call((name) => join(folder, name))).toThrow(expect.objectContaining({ code, syscall }));
	expect(() => task.run(() => call((name) => join(folder, name)))).toThrow(expect.objectContaining({ code, syscall }));
});

test("what is no directory, as a descriptor, is ENOTDIR", async () => {
	await using task = await Task.clone();
	task.run(() => {
		const [read, write] = pipe();
		expect(() => chdir(read)).toThrow(expect.objectContaining({ code: "ENOTDIR", syscall: "fchdir" }));
		expect(() => mkdir(new Location(read, "new"))).toThrow(expect.objectContaining({ code: "ENOTDIR" }));
		expect(() => symlink("x", new Location(read, "new"))).toThrow(expect.objectContaining({ code: "ENOTDIR" }));
		read.close();
		write.close();
	});
});

needs("an ordinary user").test("without the permission it is EACCES", async () => {
	await using task = await Task.clone();
	const calls = [() => mkdir(join(folder, "new")), () => symlink("x", join(folder, "new")), () => chdir(folder)];
	chmodSync(folder, 0);
	for (const call of calls) expect(() => task.run(call)).toThrow(expect.objectContaining({ code: "EACCES" }));
});

test.each([
	["mkdir(1)", () => mkdir(1 as never), "ERR_INVALID_ARG_TYPE"],
	['mkdir("a\\0")', () => mkdir("a\0"), "ERR_INVALID_ARG_VALUE"],
	["mkdir with mode 0o10000", () => mkdir("a", { mode: 0o10000 }), "ERR_OUT_OF_RANGE"],
	["mkdir with options 1", () => mkdir("a", 1 as never), "ERR_INVALID_ARG_TYPE"],
	['symlink("a\\0", "b")', () => symlink("a\0", "b"), "ERR_INVALID_ARG_VALUE"],
	["symlink(1, 'b')", () => symlink(1 as never, "b"), "ERR_INVALID_ARG_TYPE"],
	["chdir(undefined)", () => chdir(undefined as never), "ERR_INVALID_ARG_TYPE"],
])("%s is refused before the kernel is asked", (_, call, code) => {
	expect(call).toThrow(expect.objectContaining({ code }));
});

test("a batch makes directories and links by descriptor, and goes there", async () => {
	await using task = await Task.clone();
	const directory = await task.batch(() => {
		chdir(folder);
		mkdir("outer", { mode: 0o700 });
		const directory = openat2("outer", { flags: ["path", "directory"] });
		mkdir(new Location(directory, "inner"), { mode: 0o750 });
		symlink("inner", new Location(directory, "link"));
		chdir(new Location(directory, "link"));
		return directory;
	});
	expect(place(task)).toBe(join(folder, "outer/inner"));
	expect(readlinkSync(join(folder, "outer/link"))).toBe("inner");
	expect(statSync(join(folder, "outer")).mode & 0o777).toBe(0o700);
	task.run(() => chdir(directory));
	expect(place(task)).toBe(join(folder, "outer"));
	expect(() => task.run(() => chdir(new Location(directory, "link", { symlinks: false })))).toThrow(
		expect.objectContaining({ code: "ENOTDIR" }),
	);
	task.run(() => directory.close());
	expect(process.cwd()).not.toContain(folder);
});

test("near, Node notices where it has gone", async () => {
	const before = process.cwd();
	try {
		chdir(folder);
		expect(process.cwd()).toBe(folder);
		await Task.near.batch(() => chdir("/"));
		expect(process.cwd()).toBe("/");
	} finally {
		process.chdir(before);
	}
});

test("near in a Worker it is refused: ERR_NEARFAR_MULTITHREADED", async () => {
	const built = new URL("../../dist/index.js", import.meta.url);
	const program = `
		import { parentPort } from "node:worker_threads";
		import { chdir } from "${built}";
		try { chdir("/"); } catch ({ code }) { parentPort.postMessage(code); }
	`;
	const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(program)}`));
	const [[code]] = await Promise.all([once(worker, "message"), once(worker, "exit")]);
	expect(code).toBe("ERR_NEARFAR_MULTITHREADED");
});
