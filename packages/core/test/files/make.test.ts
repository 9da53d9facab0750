import { chmodSync, existsSync, lstatSync, mkdirSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, test } from "vitest";
import { needs } from "../../../../test/needs.ts";
import { refusal, refused } from "../../../../test/refusal.ts";
import { Location, mkdir, mknod, openat2, pipe, statx, symlink, Task, umask } from "../../src/index.ts";
import { makePlace } from "../place.ts";
import { testRefusals } from "../refusals.ts";
import { cloneWithScratch, makeScratchReadOnly } from "../scratch.ts";

const place = makePlace();
const at = (name: string) => `${place.folder}/${name}`;
const long = "n".repeat(256);
const recursive = { recursive: true };

beforeEach(() => {
	for (const name of ["file", "folder", "link", "loop", "nowhere", "new"])
		rmSync(at(name), { recursive: true, force: true });
	writeFileSync(at("file"), "");
	mkdirSync(at("folder"));
	symlinkSync("folder", at("link"));
	symlinkSync("loop", at("loop"));
	symlinkSync("none", at("nowhere"));
});

describe.each([["near"], ["far"]])("mkdir with recursive, %s", (where) => {
	const run = <T>(fn: () => T): T => (where === "near" ? fn() : place.task.run(fn));

	test.each(["new", "new/a", "new/a/b/c/d", "new//a///b/", "new/../new/b/./c", "folder/new/x", "link/new"])(
		"makes %s, and again",
		(name) => {
			run(() => mkdir(at(name), recursive));
			run(() => mkdir(at(name), recursive));
			expect(statSync(at(name)).isDirectory()).toBe(true);
		},
	);

	test("makes directories with names that are no text, in an open directory", () => {
		const name = Buffer.from([0xff, 0x2f, 0xfe, 0x2f, 0x61]);
		run(() => {
			using folder = openat2(at("folder"), { flags: ["path", "directory"] });
			mkdir(new Location(folder, name), recursive);
			mkdir(new Location(folder, "x/y"), recursive);
		});
		expect(statSync(Buffer.concat([Buffer.from(at("folder/")), name])).isDirectory()).toBe(true);
		expect(statSync(at("folder/x/y")).isDirectory()).toBe(true);
	});

	test("gives the mode to the last directory alone, and leaves one that exists as it is", () => {
		run(() => mkdir(at("new/a/b"), { mode: 0o500, recursive: true }));
		const expected = 0o777 & ~process.umask();
		expect(statSync(at("new/a")).mode & 0o777).toBe(expected);
		expect(statSync(at("new/a/b")).mode & 0o777).toBe(0o500);
		run(() => mkdir(at("new/a"), { mode: 0o100, recursive: true }));
		expect(statSync(at("new/a")).mode & 0o777).toBe(expected);
	});

	test("accepts what exists above: a link to a directory, and the root", () => {
		run(() => mkdir(at("link"), recursive));
		run(() => mkdir("/", recursive));
		expect(lstatSync(at("link")).isSymbolicLink()).toBe(true);
	});
});

test("mkdir with recursive makes the first part from the working directory", async () => {
	await using task = await cloneWithScratch();
	task.syscall(process.arch === "arm64" ? 49 : 80, Buffer.from("/tmp\0")); // chdir
	task.run(() => {
		mkdir("a/b", recursive);
		mkdir("a", recursive);
		expect(statx("/tmp/a/b").type).toBe("directory");
	});
	makeScratchReadOnly(task);
	task.run(() => {
		mkdir("/tmp/a/b", recursive); // nothing is to be made
		expect(() => mkdir("/tmp/a/b/c/d", recursive)).toThrow(refused("EROFS", "mkdirat"));
	});
});

test("mkdir with recursive is refused in a batch, before a call is collected", async () => {
	await using task = await Task.clone();
	await task.batch(() => {
		expect(refusal(() => mkdir(at("new/a"), recursive)).code).toBe("ERR_NEARFAR_BATCH");
		mkdir(at("new"), { recursive: false });
	});
	expect(existsSync(at("new/a"))).toBe(false);
	expect(existsSync(at("new"))).toBe(true);
});

describe.each([["near"], ["far"]])("mknod %s", (where) => {
	const run = <T>(fn: () => T): T => (where === "near" ? fn() : place.task.run(fn));

	test.each([
		["fifo", "isFIFO"],
		["socket", "isSocket"],
		["file", "isFile"],
	] as const)("makes a %s, whose mode the umask cuts down", (type, is) => {
		run(() => {
			mknod(at("new"), type);
			mknod(at("folder/new"), type, { mode: 0o7777 });
		});
		expect(lstatSync(at("new"))[is]()).toBe(true);
		expect(lstatSync(at("new")).mode & 0o7777).toBe(0o666 & ~process.umask());
		expect(lstatSync(at("folder/new")).mode & 0o7777).toBe(0o7777 & ~process.umask());
	});

	test("makes a whiteout without a privilege, from an open directory", () => {
		run(() => {
			using folder = openat2(at("folder"), { flags: ["path", "directory"] });
			mknod(new Location(folder, "gone"), "character", { device: { major: 0, minor: 0 } });
			expect(statx(new Location(folder, "gone"))).toMatchObject({ type: "character", rdev: { major: 0, minor: 0 } });
		});
	});

	needs("root").test("makes devices with large numbers", () => {
		for (const device of [
			{ major: 1, minor: 3 },
			{ major: 4095, minor: 1048575 },
			{ major: 259, minor: 0x12345 },
		]) {
			for (const type of ["character", "block"] as const) {
				run(() => mknod(at("new"), type, { mode: 0, device }));
				expect(statx(at("new"))).toMatchObject({ type, rdev: device });
				rmSync(at("new"));
			}
		}
	});
});

test("a batch makes a fifo, a socket and a whiteout; a device in a user namespace is EPERM", async () => {
	await using task = await cloneWithScratch();
	const device = { major: 0, minor: 0 };
	await task.batch(() => {
		umask(0);
		mknod("/tmp/fifo", "fifo", { mode: 0o622 });
		mknod("/tmp/socket", "socket");
		mknod("/tmp/gone", "character", { device });
	});
	task.run(() => {
		expect(statx("/tmp/fifo")).toMatchObject({ type: "fifo", mode: 0o622 });
		expect(statx("/tmp/socket")).toMatchObject({ type: "socket", mode: 0o666 });
		expect(() => mknod("/tmp/null", "character", { device: { major: 1, minor: 3 } })).toThrow(
			refused("EPERM", "mknodat"),
		);
		expect(() => mknod("/tmp/disk", "block", { device })).toThrow(refused("EPERM", "mknodat"));
	});
	makeScratchReadOnly(task);
	expect(() => task.run(() => mknod("/tmp/new", "fifo"))).toThrow(refused("EROFS", "mknodat"));
	expect(() => task.run(() => mkdir("/tmp/new"))).toThrow(refused("EROFS", "mkdirat"));
});

test("a file system that is full is ENOSPC", async () => {
	await using task = await cloneWithScratch("nr_inodes=2");
	task.run(() => {
		mkdir("/tmp/last");
		expect(() => mkdir("/tmp/new")).toThrow(refused("ENOSPC", "mkdirat"));
		expect(() => mknod("/tmp/new", "file")).toThrow(refused("ENOSPC", "mknodat"));
		expect(() => symlink("x", "/tmp/new")).toThrow(refused("ENOSPC", "symlinkat"));
	});
});

testRefusals(place, [
	["mkdir where a file is", (at) => mkdir(at("file")), "EEXIST", "mkdirat"],
	["mkdir where a link is", (at) => mkdir(at("loop")), "EEXIST", "mkdirat"],
	["mkdir without a parent", (at) => mkdir(at("none/new")), "ENOENT", "mkdirat"],
	["mkdir of nothing", () => mkdir(""), "ENOENT", "mkdirat"],
	["mkdir below a file", (at) => mkdir(at("file/new")), "ENOTDIR", "mkdirat"],
	["mkdir through a loop", (at) => mkdir(at("loop/new")), "ELOOP", "mkdirat"],
	["mkdir of a name that is too long", (at) => mkdir(at(long)), "ENAMETOOLONG", "mkdirat"],
	["recursive mkdir where a file is", (at) => mkdir(at("file"), recursive), "EEXIST", "mkdirat"],
	["recursive mkdir where a link leads nowhere", (at) => mkdir(at("nowhere"), recursive), "EEXIST", "mkdirat"],
	["recursive mkdir behind a link to nowhere", (at) => mkdir(at("nowhere/a"), recursive), "EEXIST", "mkdirat"],
	["recursive mkdir below a file", (at) => mkdir(at("file/a/b"), recursive), "ENOTDIR", "mkdirat"],
	["recursive mkdir through a loop", (at) => mkdir(at("loop/a/b"), recursive), "ELOOP", "mkdirat"],
	["recursive mkdir of nothing", () => mkdir("", recursive), "ENOENT", "mkdirat"],
	[
		"recursive mkdir of a name that is too long",
		(at) => mkdir(at(`new/${long}`), recursive),
		"ENAMETOOLONG",
		"mkdirat",
	],
	["mknod where a file is", (at) => mknod(at("file"), "fifo"), "EEXIST", "mknodat"],
	["mknod without a parent", (at) => mknod(at("none/new"), "fifo"), "ENOENT", "mknodat"],
	["mknod of nothing", () => mknod("", "fifo"), "ENOENT", "mknodat"],
	["mknod below a file", (at) => mknod(at("file/new"), "fifo"), "ENOTDIR", "mknodat"],
	["mknod through a loop", (at) => mknod(at("loop/new"), "fifo"), "ELOOP", "mknodat"],
	["mknod of a name that is too long", (at) => mknod(at(long), "fifo"), "ENAMETOOLONG", "mknodat"],
]);

test("below a descriptor that is no directory is ENOTDIR", () => {
	const [read, write] = pipe();
	expect(() => mkdir(new Location(read, "new"))).toThrow(refused("ENOTDIR", "mkdirat"));
	expect(() => mkdir(new Location(read, "a/b"), recursive)).toThrow(refused("ENOTDIR", "mkdirat"));
	expect(() => mknod(new Location(read, "new"), "fifo")).toThrow(refused("ENOTDIR", "mknodat"));
	read.close();
	write.close();
});

needs("an ordinary user").test("a directory without permission is EACCES", () => {
	chmodSync(at("folder"), 0o500);
	expect(() => mkdir(at("folder/new"))).toThrow(refused("EACCES", "mkdirat"));
	expect(() => mkdir(at("folder/a/b"), recursive)).toThrow(refused("EACCES", "mkdirat"));
	expect(() => mknod(at("folder/new"), "fifo")).toThrow(refused("EACCES", "mknodat"));
	expect(() => mknod(join(place.folder, "new"), "block", { device: { major: 7, minor: 0 } })).toThrow(
		refused("EPERM", "mknodat"),
	);
	chmodSync(at("folder"), 0o755);
});

const device = { major: 0, minor: 0 };
test.each([
	["mkdir(1)", () => mkdir(1 as never), "ERR_INVALID_ARG_TYPE"],
	['mkdir("a\\0")', () => mkdir("a\0"), "ERR_INVALID_ARG_VALUE"],
	["mkdir with the mode 0o10000", () => mkdir("a", { mode: 0o10000 }), "ERR_OUT_OF_RANGE"],
	["mkdir with the options 1", () => mkdir("a", 1 as never), "ERR_INVALID_ARG_TYPE"],
	["mkdir with recursive 1", () => mkdir("a", { recursive: 1 as never }), "ERR_INVALID_ARG_TYPE"],
	['mknod("a")', () => mknod("a", undefined as never), "ERR_INVALID_ARG_VALUE"],
	["mknod of a directory", () => mknod("a", "directory" as never), "ERR_INVALID_ARG_VALUE"],
	["mknod with the mode -1", () => mknod("a", "fifo", { mode: -1 }), "ERR_OUT_OF_RANGE"],
	["a character device without a number", () => mknod("a", "character"), "ERR_INVALID_ARG_TYPE"],
	["a fifo with a device", () => mknod("a", "fifo", { device }), "ERR_INVALID_ARG_VALUE"],
	["the major 4096", () => mknod("a", "block", { device: { ...device, major: 4096 } }), "ERR_OUT_OF_RANGE"],
	["the minor 1048576", () => mknod("a", "block", { device: { ...device, minor: 1048576 } }), "ERR_OUT_OF_RANGE"],
])("%s reaches no kernel", (_, call, code) => {
	expect(refusal(call).code).toBe(code);
});
