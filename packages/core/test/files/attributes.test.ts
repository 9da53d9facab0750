import { chmodSync, lstatSync, mkdirSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, test } from "vitest";
import { needs } from "../../../../test/needs.ts";
import { becomeOrdinary } from "../../../../test/ordinary.ts";
import { refusal, refused } from "../../../../test/refusal.ts";
import { forbid } from "../../../../test/seccomp.ts";
import { chmod, chown, Location, mkdir, openat2, statx, Task, umask } from "../../src/index.ts";
import { makePlace } from "../place.ts";
import { testRefusals } from "../refusals.ts";
import { cloneWithScratch, makeScratchReadOnly } from "../scratch.ts";

const place = makePlace();
const at = (name: string) => join(place.folder, name);
const modeOf = (name: string) => lstatSync(at(name)).mode & 0o7777;
const long = "n".repeat(256);
let made = false;

beforeEach(() => {
	if (!made) {
		writeFileSync(at("file"), "");
		mkdirSync(at("folder"));
		symlinkSync("file", at("link"));
		symlinkSync("loop", at("loop"));
	}
	made = true;
	chmodSync(at("file"), 0o600);
});

describe.each([["near"], ["far"]])("chmod %s", (where) => {
	const run = <T>(fn: () => T): T => (where === "near" ? fn() : place.task.run(fn));

	test("changes the mode of a file, of what a link leads to, and in an open directory", () => {
		run(() => chmod(at("file"), 0o4711));
		expect(modeOf("file")).toBe(0o4711);
		run(() => chmod(at("link"), 0o644));
		expect(modeOf("file")).toBe(0o644);
		run(() => {
			using folder = openat2(place.folder, { flags: ["path", "directory"] });
			chmod(new Location(folder, "folder"), 0o1777);
			expect(modeOf("folder")).toBe(0o1777);
			chmod(new Location(folder, "folder/."), 0o755);
		});
		expect(modeOf("folder")).toBe(0o755);
	});

	test("changes an open file, and refuses a descriptor that only names it", () => {
		run(() => {
			using file = openat2(at("file"));
			chmod(file, 0o640);
			expect(modeOf("file")).toBe(0o640);
			using name = openat2(at("file"), { flags: ["path"] });
			expect(() => chmod(name, 0o600)).toThrow(refused("EBADF", "fchmod"));
		});
	});

	needs("Linux 6.6").test("fchmodat2 changes what a descriptor only names, and does not follow a link", () => {
		run(() => {
			using name = openat2(at("file"), { flags: ["path"] });
			chmod(new Location(name), 0o604);
			expect(modeOf("file")).toBe(0o604);
		});
		const link = new Location(undefined, at("link"), { symlinks: false });
		expect(() => run(() => chmod(link, 0o600))).toThrow(refused("EOPNOTSUPP", "fchmodat2"));
		run(() => chmod(new Location(undefined, at("file"), { symlinks: false }), 0o606));
		expect(modeOf("file")).toBe(0o606);
	});

	test("of an empty path without emptyPath is ENOENT", () => {
		const nothing = new Location(undefined, "", { emptyPath: false });
		expect(() => run(() => chmod(nothing, 0o600))).toThrow(refused("ENOENT", "fchmodat"));
		expect(() => run(() => chown(nothing, undefined, undefined))).toThrow(refused("ENOENT", "fchownat"));
	});
});

testRefusals(place, [
	["chmod of a missing file", (at) => chmod(at("none"), 0o600), "ENOENT", "fchmodat"],
	["chmod of nothing", () => chmod("", 0o600), "ENOENT", "fchmodat"],
	["chmod below a file", (at) => chmod(at("file/x"), 0o600), "ENOTDIR", "fchmodat"],
	["chmod of a loop", (at) => chmod(at("loop"), 0o600), "ELOOP", "fchmodat"],
	["chmod of a name that is too long", (at) => chmod(at(long), 0o600), "ENAMETOOLONG", "fchmodat"],
	["chown of a missing file", (at) => chown(at("none"), 0, 0), "ENOENT", "fchownat"],
	["chown of nothing", () => chown("", 0, 0), "ENOENT", "fchownat"],
	["chown below a file", (at) => chown(at("file/x"), 0, 0), "ENOTDIR", "fchownat"],
	["chown of a loop", (at) => chown(at("loop"), 0, 0), "ELOOP", "fchownat"],
	["chown of a name that is too long", (at) => chown(at(long), 0, 0), "ENAMETOOLONG", "fchownat"],
]);

describe.each([["near"], ["far"]])("chown %s", (where) => {
	const run = <T>(fn: () => T): T => (where === "near" ? fn() : place.task.run(fn));
	const [uid, gid] = [process.getuid?.() ?? 0, process.getgid?.() ?? 0];

	test("accepts the own ids, and keeps what is undefined or -1", () => {
		for (const [user, group] of [
			[uid, gid],
			[undefined, gid],
			[uid, undefined],
			[-1, -1],
		]) {
			run(() => chown(at("link"), user, group));
			expect(statSync(at("file"))).toMatchObject({ uid, gid });
		}
		chmodSync(at("file"), 0o4711);
		run(() => chown(at("file"), undefined, gid));
		expect(modeOf("file")).toBe(0o711); // the kernel clears the set-user-id bit
	});

	needs("root").test("changes a file, a link itself, and an open file of any kind", () => {
		run(() => {
			chown(at("file"), 1000, undefined);
			expect(statSync(at("file"))).toMatchObject({ uid: 1000, gid });
			chown(new Location(undefined, at("link"), { symlinks: false }), 1, 2);
			expect(lstatSync(at("link"))).toMatchObject({ uid: 1, gid: 2 });
			using name = openat2(at("file"), { flags: ["path"] });
			chown(name, -1, 4294967294);
			expect(statSync(at("file"))).toMatchObject({ uid: 1000, gid: 4294967294 });
			chown(new Location(name), uid, gid);
			chown(new Location(undefined, at("link"), { symlinks: false }), uid, gid);
		});
		expect(statSync(at("file"))).toMatchObject({ uid, gid });
	});
});

test("a batch changes mode and owner of what it has made", async () => {
	await using task = await cloneWithScratch();
	await task.batch(() => {
		umask(0o077);
		mkdir("/tmp/folder");
		chmod("/tmp/folder", 0o1777);
		chown("/tmp/folder", 0, undefined);
		using file = openat2("/tmp/file", { flags: ["creat", "rdwr"], mode: 0o777 });
		chmod(file, 0o666);
		chown(file, 0, 0);
	});
	task.run(() => {
		expect(statx("/tmp/folder")).toMatchObject({ mode: 0o1777, uid: 0 });
		expect(statx("/tmp/file")).toMatchObject({ mode: 0o666, uid: 0, gid: 0 });
		expect(() => chown("/tmp/file", 7, undefined)).toThrow(refused("EINVAL", "fchownat")); // not mapped
	});
	makeScratchReadOnly(task);
	task.run(() => {
		expect(() => chmod("/tmp/file", 0o600)).toThrow(refused("EROFS", "fchmodat"));
		expect(() => chown("/tmp/file", 0, 0)).toThrow(refused("EROFS", "fchownat"));
	});
});

test("without fchmodat2 paths and open files keep working, and the rest is ENOSYS", async () => {
	const [fchmodat2, ENOSYS] = [452, 38];
	await using task = await cloneWithScratch();
	forbid(task, fchmodat2, ENOSYS);
	task.run(() => {
		using tmp = openat2("/tmp", { flags: ["path", "directory"] });
		using file = openat2(new Location(tmp, "file"), { flags: ["creat", "rdwr"], mode: 0o600 });
		for (const place of [file, new Location(tmp, "file"), new Location(tmp, "."), "/tmp/file"]) chmod(place, 0o711);
		expect(() => chmod(new Location(tmp), 0o700)).toThrow(refused("ENOSYS", "fchmodat2"));
		expect(() => chmod(new Location(tmp, "file", { symlinks: false }), 0o700)).toThrow(refused("ENOSYS", "fchmodat2"));
	});
});

test("a file of another user is EPERM", async () => {
	await using task = await Task.clone();
	becomeOrdinary(task);
	task.run(() => {
		expect(() => chmod("/", 0o755)).toThrow(refused("EPERM", "fchmodat"));
		expect(() => chown("/", 1000, undefined)).toThrow(refused("EPERM", "fchownat"));
		using root = openat2("/");
		expect(() => chmod(root, 0o755)).toThrow(refused("EPERM", "fchmod"));
	});
});

needs("an ordinary user").test("a directory that may not be searched is EACCES", () => {
	chmodSync(at("folder"), 0);
	expect(() => chmod(at("folder/x"), 0o600)).toThrow(refused("EACCES", "fchmodat"));
	expect(() => chown(at("folder/x"), 0, 0)).toThrow(refused("EACCES", "fchownat"));
	chmodSync(at("folder"), 0o755);
});

test.each([
	["chmod(1, 0)", () => chmod(1 as never, 0), "ERR_INVALID_ARG_TYPE"],
	['chmod("a\\0", 0)', () => chmod("a\0", 0), "ERR_INVALID_ARG_VALUE"],
	['chmod("/", 0o10000)', () => chmod("/", 0o10000), "ERR_OUT_OF_RANGE"],
	['chmod("/")', () => chmod("/", undefined as never), "ERR_INVALID_ARG_TYPE"],
	['chown("/", -2, 0)', () => chown("/", -2, 0), "ERR_OUT_OF_RANGE"],
	['chown("/", 0, 2 ** 32 - 1)', () => chown("/", 0, 2 ** 32 - 1), "ERR_OUT_OF_RANGE"],
	['chown("/", "root", 0)', () => chown("/", "root" as never, 0), "ERR_INVALID_ARG_TYPE"],
])("%s reaches no kernel", (_, call, code) => {
	expect(refusal(call).code).toBe(code);
});
