import { once } from "node:events";
import { chmodSync, mkdtempSync, readlinkSync, realpathSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { needs } from "../../../../test/needs.ts";
import { becomeOrdinary } from "../../../../test/ordinary.ts";
import { chdir, chroot, Location, mkdir, openat2, pipe, statx, symlink, Task } from "../../src/index.ts";

const long = "n".repeat(256);
let folder: string;

beforeEach(() => {
	folder = mkdtempSync(join(realpathSync(tmpdir()), "nearfar-directory-"));
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
		read.close();
		write.close();
	});
});

needs("an ordinary user").test("without the permission it is EACCES", async () => {
	await using task = await Task.clone();
	chmodSync(folder, 0);
	expect(() => task.run(() => chdir(folder))).toThrow(expect.objectContaining({ code: "EACCES" }));
});

test("a value that is no path is refused before the kernel is asked", () => {
	for (const call of [chdir, chroot])
		expect(() => call(undefined as never)).toThrow(expect.objectContaining({ code: "ERR_INVALID_ARG_TYPE" }));
});

test("a batch makes directories and links in an open directory, and goes there", async () => {
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

describe("chroot to an open directory", () => {
	const inside = { namespaces: ["user"], idMap: "root" } as const;
	const directory = { flags: ["path", "directory"] } as const;
	/** Returns whether the root and the working directory of a task are the same place, and the inode of the root. */
	const rootOf = (task: Task) =>
		task.run(() => [statx("/").ino === statx(new Location(undefined, "")).ino, statx("/").ino]);

	test("makes it the root and the working directory, without /proc", async () => {
		await using task = await Task.clone(inside);
		const { ino } = statx(folder);
		task.run(() => {
			const open = openat2(folder, directory);
			chroot("/usr"); // from here on the task sees no /proc
			chroot(open);
			open.close();
		});
		expect(rootOf(task)).toEqual([true, ino]);
	});

	test("works from a location, and with a descriptor that the same batch opens", async () => {
		await using task = await Task.clone(inside);
		mkdir(join(folder, "new"));
		await task.batch(() => {
			using open = openat2(folder, directory);
			chroot(new Location(open, "new"));
			mkdir("/below");
			using below = openat2("/below", directory);
			chroot(below);
		});
		expect(rootOf(task)).toEqual([true, statx(join(folder, "new/below")).ino]);
	});

	test("refuses a file and a missing directory, as chdir does", async () => {
		await using task = await Task.clone(inside);
		task.run(() => {
			using file = openat2(join(folder, "file"));
			expect(() => chroot(file)).toThrow(expect.objectContaining({ code: "ENOTDIR", syscall: "fchdir" }));
			using open = openat2(folder, directory);
			expect(() => chroot(new Location(open, "none"))).toThrow(expect.objectContaining({ code: "ENOENT" }));
		});
	});

	test("without the privilege is EPERM of chroot", async () => {
		await using task = await Task.clone();
		becomeOrdinary(task);
		task.run(() => {
			using open = openat2("/", directory);
			expect(() => chroot(open)).toThrow(expect.objectContaining({ code: "EPERM", syscall: "chroot" }));
			expect(() => chroot("/")).toThrow(expect.objectContaining({ code: "EPERM", syscall: "chroot" }));
		});
	});

	test("is refused near: the working directory of Node would change", async () => {
		const before = process.cwd();
		using open = openat2(folder, directory);
		for (const place of [open, new Location(open), new Location(open, "x")]) {
			expect(() => chroot(place)).toThrow(expect.objectContaining({ code: "ERR_NEARFAR_NEAR" }));
			await expect(Task.near.batch(() => chroot(place))).rejects.toMatchObject({ code: "ERR_NEARFAR_NEAR" });
		}
		expect(process.cwd()).toBe(before);
	});
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
