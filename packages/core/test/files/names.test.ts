import { existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, test } from "vitest";
import { needs } from "../../../../test/needs.ts";
import { becomeOrdinary } from "../../../../test/ordinary.ts";
import { ownProc } from "../../../../test/own-proc.ts";
import { refusal, refused } from "../../../../test/refusal.ts";
import {
	chmod,
	Location,
	mkdir,
	mknod,
	openat2,
	readdir,
	rename,
	rmdir,
	statx,
	Task,
	unlink,
} from "../../src/index.ts";
import { makePlace } from "../place.ts";
import { testRefusals } from "../refusals.ts";
import { cloneWithScratch, makeScratchReadOnly, mountScratch } from "../scratch.ts";

const place = makePlace();
const at = (name: string) => join(place.folder, name);
const long = "n".repeat(256);
const names = ["file", "other", "full", "empty", "link", "loop"];

beforeEach(() => {
	for (const name of [...names, "new"]) rmSync(at(name), { recursive: true, force: true });
	writeFileSync(at("file"), "file");
	writeFileSync(at("other"), "other");
	mkdirSync(at("full/inner"), { recursive: true });
	mkdirSync(at("empty"));
	symlinkSync("file", at("link"));
	symlinkSync("loop", at("loop"));
});

describe.each([["near"], ["far"]])("%s", (where) => {
	const run = <T>(fn: () => T): T => (where === "near" ? fn() : place.task.run(fn));

	test("rename moves a file, and replaces one that has the name", () => {
		run(() => rename(at("file"), at("new")));
		expect([existsSync(at("file")), readFileSync(at("new"), "utf8")]).toEqual([false, "file"]);
		run(() => rename(at("new"), at("other")));
		expect([existsSync(at("new")), readFileSync(at("other"), "utf8")]).toEqual([false, "file"]);
		run(() => rename(at("full"), at("empty"))); // an empty directory is replaced, too
		expect(existsSync(at("empty/inner"))).toBe(true);
	});

	test("rename between open directories, with each flag", () => {
		run(() => {
			using from = openat2(place.folder, { flags: ["path", "directory"] });
			using to = openat2(at("full"), { flags: ["path", "directory"] });
			rename(new Location(from, "file"), new Location(to, "file"), { flags: ["noreplace"] });
			expect(readFileSync(at("full/file"), "utf8")).toBe("file");
			expect(() => rename(new Location(from, "other"), new Location(to, "file"), { flags: ["noreplace"] })).toThrow(
				refused("EEXIST", "renameat2"),
			);
			rename(new Location(from, "other"), new Location(to, "file"), { flags: ["exchange"] });
			expect([readFileSync(at("other"), "utf8"), readFileSync(at("full/file"), "utf8")]).toEqual(["file", "other"]);
		});
	});

	test("unlink removes a file, and a link itself", () => {
		run(() => unlink(at("link")));
		expect([existsSync(at("link")), existsSync(at("file"))]).toEqual([false, true]);
		run(() => {
			using folder = openat2(place.folder, { flags: ["path", "directory"] });
			unlink(new Location(folder, "file"));
			rmdir(new Location(folder, "empty"));
		});
		expect([existsSync(at("file")), existsSync(at("empty"))]).toEqual([false, false]);
	});

	test("an open file by itself has no name", () => {
		run(() => {
			using folder = openat2(at("empty"), { flags: ["path", "directory"] });
			expect(() => unlink(folder)).toThrow(refused("ENOENT", "unlinkat"));
			expect(() => rmdir(folder)).toThrow(refused("ENOENT", "unlinkat"));
			expect(() => rename(folder, at("new"))).toThrow(refused("ENOENT", "renameat2"));
		});
	});
});

testRefusals(place, [
	["rename of a missing file", (at) => rename(at("none"), at("new")), "ENOENT", "renameat2"],
	["rename to nothing", (at) => rename(at("file"), ""), "ENOENT", "renameat2"],
	["rename into a missing directory", (at) => rename(at("file"), at("none/new")), "ENOENT", "renameat2"],
	["rename onto a full directory", (at) => rename(at("empty"), at("full")), "ENOTEMPTY", "renameat2"],
	["rename of a file onto a directory", (at) => rename(at("file"), at("empty")), "EISDIR", "renameat2"],
	["rename of a directory onto a file", (at) => rename(at("empty"), at("file")), "ENOTDIR", "renameat2"],
	["rename below a file", (at) => rename(at("other"), at("file/new")), "ENOTDIR", "renameat2"],
	["rename of a directory into itself", (at) => rename(at("full"), at("full/inner/new")), "EINVAL", "renameat2"],
	["rename of dot", (at) => rename(at("full/."), at("new")), "EBUSY", "renameat2"],
	["rename through a loop", (at) => rename(at("loop/x"), at("new")), "ELOOP", "renameat2"],
	["rename to a name that is too long", (at) => rename(at("file"), at(long)), "ENAMETOOLONG", "renameat2"],
	[
		"an exchange with a missing file",
		(at) => rename(at("file"), at("new"), { flags: ["exchange"] }),
		"ENOENT",
		"renameat2",
	],
	[
		"flags that contradict each other",
		(at) => rename(at("file"), at("other"), { flags: ["exchange", "noreplace"] }),
		"EINVAL",
		"renameat2",
	],
	["an unknown flag", (at) => rename(at("file"), at("new"), { flags: 0x4000_0000 }), "EINVAL", "renameat2"],
	["unlink of a missing file", (at) => unlink(at("none")), "ENOENT", "unlinkat"],
	["unlink of nothing", () => unlink(""), "ENOENT", "unlinkat"],
	["unlink of a directory", (at) => unlink(at("empty")), "EISDIR", "unlinkat"],
	["unlink below a file", (at) => unlink(at("file/x")), "ENOTDIR", "unlinkat"],
	["unlink of a file with a slash", (at) => unlink(at("file/")), "ENOTDIR", "unlinkat"],
	["unlink through a loop", (at) => unlink(at("loop/x")), "ELOOP", "unlinkat"],
	["unlink of a name that is too long", (at) => unlink(at(long)), "ENAMETOOLONG", "unlinkat"],
	["rmdir of a full directory", (at) => rmdir(at("full")), "ENOTEMPTY", "unlinkat"],
	["rmdir of dot dot", (at) => rmdir(at("full/inner/..")), "ENOTEMPTY", "unlinkat"],
	["rmdir of dot", (at) => rmdir(at("empty/.")), "EINVAL", "unlinkat"],
	["rmdir of a file", (at) => rmdir(at("file")), "ENOTDIR", "unlinkat"],
	["rmdir of a link", (at) => rmdir(at("link")), "ENOTDIR", "unlinkat"],
	["rmdir of a missing directory", (at) => rmdir(at("none")), "ENOENT", "unlinkat"],
	["rmdir of a name that is too long", (at) => rmdir(at(long)), "ENAMETOOLONG", "unlinkat"],
]);

needs("/proc").test("another mount is EXDEV, and the error names both paths", () => {
	const [path, dest] = [at("file"), `${ownProc}/new`];
	expect(() => rename(path, dest)).toThrow(expect.objectContaining({ code: "EXDEV", path, dest }));
});

test("a batch renames, exchanges, leaves a whiteout and removes", async () => {
	await using task = await cloneWithScratch();
	await task.batch(() => {
		for (const name of ["a", "b", "lower"]) mknod(`/tmp/${name}`, "file");
		mkdir("/tmp/dir");
		mkdir("/tmp/gone");
		chmod("/tmp/a", 0o611);
		rename("/tmp/a", "/tmp/b", { flags: ["exchange"] });
		rename("/tmp/lower", "/tmp/dir/moved", { flags: ["whiteout"] });
		unlink("/tmp/a");
		rmdir("/tmp/gone");
	});
	task.run(() => {
		expect(readdir("/tmp").map(({ name }) => name)).toEqual(expect.arrayContaining(["b", "dir", "lower"]));
		expect(statx("/tmp/b").mode).toBe(0o611);
		expect(statx("/tmp/lower")).toMatchObject({ type: "character", rdev: { major: 0, minor: 0 } });
		expect(() => unlink("/tmp/gone")).toThrow(refused("ENOENT", "unlinkat"));
	});
	task.run(() => mkdir("/tmp/mounted"));
	mountScratch(task, 0, "", "/tmp/mounted");
	expect(() => task.run(() => rmdir("/tmp/mounted"))).toThrow(refused("EBUSY", "unlinkat"));
	expect(() => task.run(() => rename("/tmp/mounted", "/tmp/moved"))).toThrow(refused("EBUSY", "renameat2"));
	await expect(task.batch(() => rmdir("/tmp/dir"))).rejects.toMatchObject({ code: "ENOTEMPTY", step: 0 });
	makeScratchReadOnly(task);
	task.run(() => {
		expect(() => rename("/tmp/b", "/tmp/c")).toThrow(refused("EROFS", "renameat2"));
		expect(() => unlink("/tmp/b")).toThrow(refused("EROFS", "unlinkat"));
		expect(() => rmdir("/tmp/dir/none")).toThrow(refused("EROFS", "unlinkat"));
	});
});

needs("root").test(
	"names of other users in a sticky directory are EPERM, in one without permission EACCES",
	async () => {
		await using task = await Task.clone();
		becomeOrdinary(task);
		chmod(place.folder, 0o1777);
		task.run(() => {
			for (const call of [() => unlink(at("file")), () => rmdir(at("empty")), () => rename(at("file"), at("new"))])
				expect(call).toThrow(expect.objectContaining({ code: "EPERM" }));
		});
		chmod(place.folder, 0o755);
		task.run(() => {
			for (const call of [() => unlink(at("file")), () => rmdir(at("empty")), () => rename(at("file"), at("new"))])
				expect(call).toThrow(expect.objectContaining({ code: "EACCES" }));
		});
	},
);

test.each([
	['rename("a")', () => rename("a", undefined as never), "ERR_INVALID_ARG_TYPE"],
	['rename("a\\0", "b")', () => rename("a\0", "b"), "ERR_INVALID_ARG_VALUE"],
	["an unknown name of a flag", () => rename("a", "b", { flags: ["replace" as never] }), "ERR_INVALID_ARG_VALUE"],
	["flags of more than 32 bits", () => rename("a", "b", { flags: 2 ** 32 }), "ERR_OUT_OF_RANGE"],
	["unlink(1)", () => unlink(1 as never), "ERR_INVALID_ARG_TYPE"],
	['rmdir("a\\0")', () => rmdir("a\0"), "ERR_INVALID_ARG_VALUE"],
])("%s reaches no kernel", (_, call, code) => {
	expect(refusal(call).code).toBe(code);
});
