import {
	lstatSync,
	mkdirSync,
	readFileSync,
	readlinkSync,
	rmSync,
	statSync,
	symlinkSync,
	writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, test } from "vitest";
import { isRoot, needs } from "../../../../test/needs.ts";
import { becomeOrdinary } from "../../../../test/ordinary.ts";
import { ownProc } from "../../../../test/own-proc.ts";
import { refusal, refused } from "../../../../test/refusal.ts";
import { forbid } from "../../../../test/seccomp.ts";
import { chmod, Location, link, openat2, pipe, readlink, symlink, Task, unlink } from "../../src/index.ts";
import { makePlace } from "../place.ts";
import { testRefusals } from "../refusals.ts";
import { cloneWithScratch, makeScratchReadOnly } from "../scratch.ts";

const place = makePlace();
const at = (name: string) => join(place.folder, name);
const long = "n".repeat(256);

beforeEach(() => {
	for (const name of ["file", "folder", "link", "loop", "new"]) rmSync(at(name), { recursive: true, force: true });
	writeFileSync(at("file"), "content");
	mkdirSync(at("folder"));
	symlinkSync("file", at("link"));
	symlinkSync("loop", at("loop"));
});

describe.each([["near"], ["far"]])("link %s", (where) => {
	const run = <T>(fn: () => T): T => (where === "near" ? fn() : place.task.run(fn));

	test("gives a file a second name", () => {
		run(() => {
			using folder = openat2(place.folder, { flags: ["path", "directory"] });
			link(new Location(folder, "file"), new Location(folder, "new"));
		});
		expect(statSync(at("new")).ino).toBe(statSync(at("file")).ino);
	});

	test("links a symbolic link itself, unless it is to follow it", () => {
		run(() => link(at("link"), at("new")));
		expect(lstatSync(at("new")).isSymbolicLink()).toBe(true);
		rmSync(at("new"));
		run(() => link(at("link"), at("new"), { flags: ["symlinkFollow"] }));
		expect(lstatSync(at("new")).ino).toBe(statSync(at("file")).ino);
	});

	// Linux 6.10 needs no capability for a descriptor that the caller has opened itself.
	needs(...(isRoot ? [] : (["Linux 6.10"] as const))).test("gives an open file a name", () => {
		run(() => {
			using file = openat2(at("file"), { flags: ["path"] });
			link(file, at("new"));
			expect(statSync(at("new")).ino).toBe(statSync(at("file")).ino);
			unlink(at("new"));
			link(new Location(file), at("new"));
		});
		expect(readFileSync(at("new"), "utf8")).toBe("content");
	});

	needs("a temporary folder with O_TMPFILE").test("gives a file without a name one through /proc", () => {
		run(() => {
			using file = openat2(place.folder, { flags: ["tmpfile", "rdwr"], mode: 0o600 });
			file.write("made");
			link(`${ownProc}/self/fd/${file.fd}`, at("new"), { flags: ["symlinkFollow"] });
		});
		expect(readFileSync(at("new"), "utf8")).toBe("made");
	});

	test("a file whose last name is gone gets no new one", () => {
		run(() => {
			using file = openat2(at("file"));
			unlink(at("file"));
			expect(() => link(file, at("new"))).toThrow(refused("ENOENT", "linkat"));
		});
	});
});

describe.each([["near"], ["far"]])("readlink %s", (where) => {
	const run = <T>(fn: () => T): T => (where === "near" ? fn() : place.task.run(fn));

	test("returns the target, by path, from a directory, and of an open link", () => {
		expect(run(() => readlink(at("link")))).toBe("file");
		run(() => {
			using folder = openat2(place.folder, { flags: ["path", "directory"] });
			expect(readlink(new Location(folder, "link"))).toBe("file");
			using open = openat2(new Location(folder, "link", { symlinks: false }), { flags: ["path"] });
			expect(readlink(open)).toBe("file");
		});
	});

	test("returns bytes that are no text", () => {
		const target = Buffer.from([0x61, 0xff, 0xfe, 0x2f]);
		symlinkSync(target, at("new"));
		expect(run(() => readlink(at("new"), { encoding: "buffer" }))).toEqual(target);
		expect(run(() => readlink(at("new"), { encoding: "utf8" }))).toBe("a\ufffd\ufffd/");
	});

	test.each([1, 1023, 1024, 1025, 2048, 4095])("returns a target of %i bytes whole", (length) => {
		symlinkSync("t".repeat(length), at("new"));
		expect(run(() => readlink(at("new")))).toHaveLength(length);
	});

	test("of a descriptor that is no link is ENOENT", () => {
		run(() => {
			using file = openat2(at("file"));
			expect(() => readlink(file)).toThrow(refused("ENOENT", "readlinkat"));
		});
	});
});

testRefusals(place, [
	["link to a name that is taken", (at) => link(at("file"), at("link")), "EEXIST", "linkat"],
	["link of a missing file", (at) => link(at("none"), at("new")), "ENOENT", "linkat"],
	["link of nothing", (at) => link("", at("new")), "ENOENT", "linkat"],
	["link into a missing directory", (at) => link(at("file"), at("none/new")), "ENOENT", "linkat"],
	["link below a file", (at) => link(at("file"), at("file/new")), "ENOTDIR", "linkat"],
	["link of a directory", (at) => link(at("folder"), at("new")), "EPERM", "linkat"],
	["link through a loop", (at) => link(at("loop/x"), at("new")), "ELOOP", "linkat"],
	["link to a name that is too long", (at) => link(at("file"), at(long)), "ENAMETOOLONG", "linkat"],
	["link with an unknown flag", (at) => link(at("file"), at("new"), { flags: ["recursive"] }), "EINVAL", "linkat"],
	["readlink of a file", (at) => readlink(at("file")), "EINVAL", "readlinkat"],
	["readlink of a directory", (at) => readlink(at("folder")), "EINVAL", "readlinkat"],
	["readlink of a missing file", (at) => readlink(at("none")), "ENOENT", "readlinkat"],
	["readlink of nothing", () => readlink(""), "ENOENT", "readlinkat"],
	["readlink below a file", (at) => readlink(at("file/x")), "ENOTDIR", "readlinkat"],
	["readlink through a loop", (at) => readlink(at("loop/x")), "ELOOP", "readlinkat"],
	["readlink of a name that is too long", (at) => readlink(at(long)), "ENAMETOOLONG", "readlinkat"],
	["symlink where a file is", (at) => symlink("x", at("file")), "EEXIST", "symlinkat"],
	["symlink without a parent", (at) => symlink("x", at("none/new")), "ENOENT", "symlinkat"],
	["symlink to nothing", (at) => symlink("", at("new")), "ENOENT", "symlinkat"],
	["symlink below a file", (at) => symlink("x", at("file/new")), "ENOTDIR", "symlinkat"],
	["symlink through a loop", (at) => symlink("x", at("loop/new")), "ELOOP", "symlinkat"],
	["symlink of a name that is too long", (at) => symlink("x", at(long)), "ENAMETOOLONG", "symlinkat"],
]);

test("a link to another mount is EXDEV, and the error names both paths", async () => {
	await using task = await cloneWithScratch();
	const [path, dest] = ["/etc/passwd", "/tmp/new"];
	expect(() => task.run(() => link(path, dest))).toThrow(expect.objectContaining({ code: "EXDEV", path, dest }));
});

test("a path in an open directory needs no flag for empty paths, which older kernels refuse", async () => {
	const [linkat, AT_EMPTY_PATH, ENOENT] = [process.arch === "arm64" ? 37 : 265, 0x1000, 2];
	await using task = await cloneWithScratch();
	forbid(task, linkat, ENOENT, AT_EMPTY_PATH, 4);
	task.run(() => {
		using tmp = openat2("/tmp", { flags: ["path", "directory"] });
		using file = openat2(new Location(tmp, "file"), { flags: ["creat", "rdwr"], mode: 0o600 });
		link(new Location(tmp, "file"), new Location(tmp, "new"));
		expect(() => link(file, "/tmp/other")).toThrow(refused("ENOENT", "linkat"));
	});
});

test("a batch makes links, and names a file that it has opened", async () => {
	await using task = await cloneWithScratch();
	await task.batch(() => {
		const file = openat2("/tmp", { flags: ["tmpfile", "rdwr"], mode: 0o600 });
		link(file, "/tmp/first");
		link("/tmp/first", "/tmp/second");
		symlink("second", "/tmp/third");
		file.close();
	});
	task.run(() => {
		expect(readlink("/tmp/third")).toBe("second");
		using file = openat2("/tmp/third");
		expect(readlink(`/proc/self/fd/${file.fd}`)).toBe("/tmp/second");
	});
	await expect(task.batch(() => readlink("/tmp/third"))).rejects.toMatchObject({ code: "ERR_NEARFAR_BATCH" });
	makeScratchReadOnly(task);
	expect(() => task.run(() => link("/tmp/first", "/tmp/new"))).toThrow(refused("EROFS", "linkat"));
	expect(() => task.run(() => symlink("x", "/tmp/new"))).toThrow(refused("EROFS", "symlinkat"));
});

needs("/proc").test(
	"an ordinary user may not link a descriptor of other credentials, and may do so through /proc",
	async () => {
		await using task = await Task.clone();
		using near = openat2(at("file"));
		const far = task.put(near);
		chmod(place.folder, 0o777);
		chmod(at("file"), 0o666); // fs.protected_hardlinks allows a link to a file that the caller may read and write
		becomeOrdinary(task);
		task.run(() => {
			expect(() => link(far, at("new"))).toThrow(refused("ENOENT", "linkat"));
			link(`/proc/self/fd/${far.fd}`, at("new"), { flags: ["symlinkFollow"] });
		});
		expect(statSync(at("new")).ino).toBe(statSync(at("file")).ino);
		chmod(place.folder, 0o755);
	},
);

needs("an ordinary user").test("a directory without permission is EACCES", () => {
	chmod(at("folder"), 0);
	for (const call of [
		() => link(at("file"), at("folder/new")),
		() => symlink("x", at("folder/new")),
		() => readlink(at("folder/x")),
	])
		expect(call).toThrow(expect.objectContaining({ code: "EACCES" }));
	chmod(at("folder"), 0o755);
});

test("below a descriptor that is no directory is ENOTDIR", () => {
	const [read, write] = pipe();
	expect(() => readlink(new Location(read, "x"))).toThrow(refused("ENOTDIR", "readlinkat"));
	expect(() => link(new Location(read, "x"), at("new"))).toThrow(refused("ENOTDIR", "linkat"));
	expect(() => symlink("x", new Location(read, "new"))).toThrow(refused("ENOTDIR", "symlinkat"));
	read.close();
	write.close();
});

test("the target of a symbolic link keeps its link", () => {
	symlink("none/..", at("new"));
	expect(readlinkSync(at("new"))).toBe("none/..");
});

test.each([
	['link(1, "b")', () => link(1 as never, "b"), "ERR_INVALID_ARG_TYPE"],
	['link("a", "b\\0")', () => link("a", "b\0"), "ERR_INVALID_ARG_VALUE"],
	["an unknown name of a flag", () => link("a", "b", { flags: ["follow" as never] }), "ERR_INVALID_ARG_VALUE"],
	["flags of more than 32 bits", () => link("a", "b", { flags: 2 ** 32 }), "ERR_OUT_OF_RANGE"],
	["readlink(1)", () => readlink(1 as never), "ERR_INVALID_ARG_TYPE"],
	["an unknown encoding", () => readlink("a", { encoding: "latin1" as never }), "ERR_INVALID_ARG_VALUE"],
	['symlink("a\\0", "b")', () => symlink("a\0", "b"), "ERR_INVALID_ARG_VALUE"],
	['symlink(1, "b")', () => symlink(1 as never, "b"), "ERR_INVALID_ARG_TYPE"],
])("%s reaches no kernel", (_, call, code) => {
	expect(refusal(call).code).toBe(code);
});
