import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { ownProc } from "../../../../test/own-proc.ts";
import { closeRange, Location, type LocationLike, type OpenHow, openat2, pipe, Task } from "../../src/index.ts";
import { makePlace } from "../place.ts";

const place = makePlace();
const root = place.folder;
mkdirSync(join(root, "etc"));
writeFileSync(join(root, "etc/passwd"), "inner");
symlinkSync("/etc/passwd", join(root, "absolute"));
symlinkSync("../../../etc/passwd", join(root, "dots"));

const refusals: [id: string, path: string, how: OpenHow, code: string][] = [
	["OA2-01", "absolute", { resolve: ["beneath"] }, "EXDEV"],
	["OA2-01", "absolute", { resolve: ["noSymlinks"] }, "ELOOP"],
	["OA2-02", "dots", { resolve: ["beneath"] }, "EXDEV"],
	["OA2-02", "dots", { resolve: ["noSymlinks"] }, "ELOOP"],
	["OA2-03", "/etc/passwd", { resolve: ["beneath"] }, "EXDEV"],
	["OA2-05", "etc", { resolve: ["beneath", "inRoot"] }, "EINVAL"],
	["OA2-05", "etc", { resolve: 2 ** 40 }, "EINVAL"],
	["OA2-05", "etc", { mode: 0o600 }, "EINVAL"],
	["OA2-05", "new", { flags: ["creat", "wronly"], mode: 0o600, resolve: ["cached"] }, "EAGAIN"],
	["unknown flag", "etc", { flags: 2 ** 40 }, "EINVAL"],
	["absent", "nope", {}, "ENOENT"],
	["no directory", "etc/passwd", { flags: ["directory"] }, "ENOTDIR"],
	["exists", "etc/passwd", { flags: ["creat", "excl", "wronly"], mode: 0o600 }, "EEXIST"],
	["a directory", "etc", { flags: ["wronly"] }, "EISDIR"],
	["too long", "x".repeat(256), {}, "ENAMETOOLONG"],
	["a longer path than there can be", "./".repeat(2048), {}, "ENAMETOOLONG"],
];

describe.each([["near"], ["far"]])("openat2 %s", (where) => {
	const run = <T>(fn: () => T): T => (where === "near" ? fn() : place.task.run(fn));

	test.each(refusals)("%s %s with %j is %s", (_, path, how, code) => {
		run(() => {
			using folder = openat2(root, { flags: ["path", "directory"] });
			const error = expect.objectContaining({ code, syscall: "openat2", path });
			expect(() => openat2(new Location(folder, path), how)).toThrow(error);
		});
	});

	test.each([
		["OA2-01", "absolute"],
		["OA2-02", "dots"],
		["OA2-03", "/etc/passwd"],
	])("%s %s with inRoot stays inside", (_, path) => {
		run(() => {
			using folder = openat2(root, { flags: ["path", "directory"] });
			using file = openat2(new Location(folder, path), { resolve: ["inRoot"] });
			expect(file.read(10).toString()).toBe("inner");
		});
	});

	test.each([
		["/", "proc/self/stat", { resolve: ["noXdev"] }, "EXDEV"],
		[`${ownProc}/self`, "exe", { resolve: ["inRoot"] }, "EXDEV"],
		[`${ownProc}/self`, "exe", { resolve: ["noMagiclinks"] }, "ELOOP"],
	] as [string, string, OpenHow, string][])("OA2-04 %s %s with %j is %s", (from, path, how, code) => {
		run(() => {
			using folder = openat2(from, { flags: ["path", "directory"] });
			const error = expect.objectContaining({ code, syscall: "openat2", path });
			expect(() => openat2(new Location(folder, path), how)).toThrow(error);
		});
	});

	test("takes a string, a Buffer, a URL, an open directory and a Location", () => {
		run(() => {
			using folder = openat2(root, { flags: ["path", "directory"] });
			const path = join(root, "etc/passwd");
			const places: LocationLike[] = [
				path,
				Buffer.from(path),
				new URL(`file://${path}`),
				new Location(folder, "etc/passwd"),
			];
			for (const place of places) {
				using file = openat2(place);
				expect(file.read(10).toString()).toBe("inner");
			}
			using again = openat2(folder, { flags: ["directory"] });
			using file = openat2(new Location(again, "etc/passwd"));
			expect(file.closeOnExec).toBe(true);
		});
	});

	test("creates with a mode, and a number for flags goes through", () => {
		const path = join(root, `made-${where}`);
		run(() => {
			using file = openat2(path, { flags: 0o101, mode: 0o600 }); // O_WRONLY | O_CREAT
			expect(file.write("made")).toBe(4);
			expect(file.closeOnExec).toBe(true);
		});
		expect(readFileSync(path, "utf8")).toBe("made");
	});

	test("pipe carries bytes, and its ends are two open files", () => {
		run(() => {
			const [read, write] = pipe();
			expect(write.write("through")).toBe(7);
			expect(read.read(100).toString()).toBe("through");
			expect(read.file).not.toBe(write.file);
			write.close();
			expect(read.read(100).length).toBe(0);
			read.close();
		});
	});
});

describe("closeRange", () => {
	test("near is refused: the descriptors are Node's", () => {
		const error = expect.objectContaining({ name: "NearfarError", code: "ERR_NEARFAR_NEAR" });
		expect(() => closeRange(1000, 2000)).toThrow(error);
		expect(() => closeRange(3, 2 ** 32 - 1, { closeOnExec: true })).toThrow(error);
	});

	test("FDX-01 first over last is EINVAL, and so is an unknown flag", () => {
		const error = expect.objectContaining({ code: "EINVAL", syscall: "close_range" });
		expect(() => place.task.run(() => closeRange(5, 4))).toThrow(error);
		expect(() => place.task.syscall(436, 500, 600, 1 << 3)).toThrow(expect.objectContaining({ code: "EINVAL" }));
	});

	test("FDX-02 far closes what is in the range, or marks it, and keeps the channel", async () => {
		await using task = await Task.clone();
		task.run(() => {
			using low = openat2("/dev/null");
			const high = openat2("/dev/null").dup({ min: 150, closeOnExec: false });
			closeRange(high.fd, 2 ** 32 - 1, { closeOnExec: true });
			expect([high.closed, high.closeOnExec]).toEqual([false, true]);
			closeRange(100, 2 ** 32 - 1);
			expect([low.closed, high.closed]).toEqual([false, true]);
			closeRange(3, 2 ** 32 - 1);
			expect(low.closed).toBe(true);
			closeRange(task.channelFd ?? -1, task.channelFd ?? -1);
			using again = openat2("/dev/null");
			expect(again.fd).toBe(3);
		});
	});
});
