import { readlinkSync } from "node:fs";
import { expect, test } from "vitest";
import { Location, openat2, Task } from "../src/index.ts";
import { expectNoLeaks } from "./leaks.ts";

expectNoLeaks();

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
	const link = new Location(undefined, "/proc/self/exe", { symlinks: false });
	expect(() => openat2(link)).toThrow(expect.objectContaining({ code: "ELOOP", syscall: "openat2" }));
});

test("after its descriptor was closed it throws, and never falls back to the working directory", () => {
	const folder = openat2("/etc", { flags: ["path"] });
	const place = new Location(folder, "hostname");
	folder.close();
	expect(() => openat2(place)).toThrow(expect.objectContaining({ code: "ERR_NEARFAR_CLOSED" }));
	expect(() => openat2(new Location(folder))).toThrow(expect.objectContaining({ code: "ERR_NEARFAR_CLOSED" }));
});

test("one of another table is refused", async () => {
	await using task = await Task.clone();
	using folder = openat2("/etc", { flags: ["path"] });
	const place = new Location(folder, "hostname");
	const mismatch = expect.objectContaining({ code: "ERR_NEARFAR_FD_TABLE_MISMATCH" });
	expect(() => task.run(() => openat2(place))).toThrow(mismatch);
});
