import { readlinkSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { needs } from "../../../../test/needs.ts";
import { ownProc } from "../../../../test/own-proc.ts";
import {
	chdir,
	chmod,
	chown,
	type FileDescriptor,
	Location,
	link,
	mkdir,
	mknod,
	openat2,
	readdir,
	readlink,
	rename,
	rmdir,
	statx,
	symlink,
	Task,
	unlink,
} from "../../src/index.ts";
import { toPath } from "../../src/internal.ts";

test("says where it is and how its end is looked up", () => {
	using folder = openat2("/", { flags: ["path"] });
	const { directory, path, symlinks, automount, emptyPath } = new Location(folder);
	expect([directory, path, symlinks, automount, emptyPath]).toEqual([folder, "", true, true, true]);
	const other = new Location(undefined, Buffer.from("a"), { symlinks: false, automount: false, emptyPath: false });
	expect([other.directory, other.path, other.symlinks, other.automount, other.emptyPath]).toEqual([
		undefined,
		Buffer.from("a"),
		false,
		false,
		false,
	]);
});

test("an empty path is the directory itself", () => {
	using folder = openat2("/usr", { flags: ["path"] });
	using again = openat2(new Location(folder), { flags: ["path"] });
	expect(readlinkSync(`/proc/self/fd/${again.fd}`)).toBe("/usr");
});

test("an empty path without emptyPath is ENOENT, as the kernel has it", () => {
	using folder = openat2("/usr", { flags: ["path"] });
	const error = expect.objectContaining({ code: "ENOENT", syscall: "openat2" });
	expect(() => openat2(new Location(folder, "", { emptyPath: false }))).toThrow(error);
	expect(() => openat2(new Location(undefined, "", { emptyPath: false }))).toThrow(error);
	expect(() => openat2("")).toThrow(error);
});

test("a symbolic link at the end is not followed where it is not to be", () => {
	const link = new Location(undefined, `${ownProc}/self/exe`, { symlinks: false });
	expect(() => openat2(link)).toThrow(expect.objectContaining({ code: "ELOOP", syscall: "openat2" }));
});

describe("join", () => {
	test.each([
		["", [], ""],
		["", ["a"], "a"],
		["a", ["b", "c/d"], "a/b/c/d"],
		["a/", ["b"], "a/b"],
		["a", ["b/"], "a/b/"],
		["a", ["", "b", ""], "a/b"],
		["", ["/etc"], "etc"],
		["a", ["/etc", "//x"], "a/etc/x"],
		["a", ["/"], "a"],
		["/", ["etc"], "/etc"],
		["/srv", ["/etc"], "/srv/etc"],
		["a", ["..", "./b"], "a/.././b"],
	])("of %j and %j is %j", (path, parts, joined) => {
		expect(new Location(undefined, path).join(...parts).path).toBe(joined);
		const bytes = new Location(undefined, path).join(...parts.map((part) => Buffer.from(part))).path;
		expect(`${bytes}`).toBe(joined);
	});

	test("keeps the directory and every option, and leaves the location as it was", () => {
		const options = { symlinks: false, automount: false, emptyPath: false };
		using start = openat2("/usr", { flags: ["path"] });
		const place = new Location(start, "a", options);
		expect({ ...place.join("b") }).toEqual({ directory: start, path: "a/b", ...options });
		expect(place.join("b").directory).toBe(start);
		expect(place.path).toBe("a");
		expect({ ...new Location(undefined, "a").join("b") }).toEqual({
			directory: undefined,
			path: "a/b",
			symlinks: true,
			automount: true,
			emptyPath: true,
		});
	});

	test("bytes that are no text stay as they are", () => {
		const { path } = new Location(undefined, "é").join(Buffer.from([0x2f, 0xff, 0xe9]), "é");
		expect(path).toEqual(Buffer.from([0xc3, 0xa9, 0x2f, 0xff, 0xe9, 0x2f, 0xc3, 0xa9]));
	});

	needs("/proc").test(".. is walked by the kernel: behind a link it is not the way back", () => {
		using proc = openat2(ownProc, { flags: ["path"] });
		using back = openat2(new Location(proc).join("self/root", "..", "proc/version"));
		expect(`${back.read(5)}`).toBe("Linux");
		expect(() => openat2(new Location(proc).join(".."), { resolve: ["beneath"] })).toThrow(
			expect.objectContaining({ code: "EXDEV", syscall: "openat2" }),
		);
	});

	test.each([
		["a\0b", "ERR_INVALID_ARG_VALUE"],
		[Buffer.from("\0"), "ERR_INVALID_ARG_VALUE"],
		[3, "ERR_INVALID_ARG_TYPE"],
		[undefined, "ERR_INVALID_ARG_TYPE"],
		[new URL("file:///etc"), "ERR_INVALID_ARG_TYPE"],
		[new Location(undefined, "b"), "ERR_INVALID_ARG_TYPE"],
	])("refuses %s", (part, code) => {
		expect(() => new Location(undefined).join("a", part as never)).toThrow(expect.objectContaining({ code }));
	});
});

test("after its descriptor was closed every use throws, and none falls back to the working directory", async () => {
	await using task = await Task.clone();
	const uses: ((at: Location) => unknown)[] = [
		(at) => openat2(at),
		(at) => openat2(at.join("passwd")),
		(at) => statx(at),
		(at) => statx(at.join("/etc")),
		(at) => chdir(at),
		(at) => mkdir(at.join("new")),
		(at) => symlink("x", at.join("new")),
		(at) => chmod(at.join("none"), 0o600),
		(at) => chown(at.join("none"), -1, -1),
		(at) => link(at.join("none"), "/none/new"),
		(at) => link("/none", at.join("new")),
		(at) => mkdir(at.join("none/new"), { recursive: true }),
		(at) => mknod(at.join("none/new"), "fifo"),
		(at) => readdir(at),
		(at) => readlink(at),
		(at) => rename(at.join("none"), "/none/new"),
		(at) => rename("/none", at.join("new")),
		(at) => rmdir(at.join("none")),
		(at) => unlink(at.join("none")),
		(at) => toPath(at),
		(at) => toPath(at.join("x")),
	];
	const closed = expect.objectContaining({ code: "ERR_NEARFAR_CLOSED" });
	for (const path of ["", ".", "hostname", "/etc"]) {
		for (const end of [(fd: FileDescriptor) => fd.close(), (fd: FileDescriptor) => close(fd.take())]) {
			for (const target of [Task.near, task]) {
				target.run(() => {
					const folder = openat2("/etc", { flags: ["path"] });
					const place = new Location(folder, path);
					end(folder);
					using _other = openat2("/usr", { flags: ["path"] }); // the other file has the number now
					for (const use of uses) expect(() => use(place)).toThrow(closed);
				});
			}
		}
	}
	function close(number: number): void {
		Task.current().syscall(process.arch === "x64" ? 3 : 57, number);
	}
});

test("a path that begins with / begins at the root, in calls with a directory and in those without", () => {
	using folder = openat2("/usr", { flags: ["path"] });
	using file = openat2(new Location(folder, `${ownProc}/version`));
	expect(`${file.read(5)}`).toBe("Linux");
	expect(toPath(new Location(folder, "/proc/version"))).toBe("/proc/version");
	expect(toPath(new Location(folder, Buffer.from("/proc")))).toEqual(Buffer.from("/proc"));
	expect(toPath(new Location(folder, "lib"))).toBe(`/proc/self/fd/${folder.fd}/lib`);
});

test("an empty path means the directory, or nothing, in calls without a directory too", () => {
	using folder = openat2("/usr", { flags: ["path"] });
	expect(toPath(new Location(folder))).toBe(`/proc/self/fd/${folder.fd}`);
	expect(toPath(new Location(undefined))).toBe(".");
	for (const directory of [folder, undefined])
		expect(toPath(new Location(directory, "", { emptyPath: false }))).toBe("");
});

test("one of another table is refused", async () => {
	await using task = await Task.clone();
	using folder = openat2("/etc", { flags: ["path"] });
	const place = new Location(folder, "hostname");
	const mismatch = expect.objectContaining({ code: "ERR_NEARFAR_FD_TABLE_MISMATCH" });
	expect(() => task.run(() => openat2(place))).toThrow(mismatch);
});
