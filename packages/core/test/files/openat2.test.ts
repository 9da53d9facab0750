import { lstatSync, mkdirSync, readFileSync, readlinkSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { needs } from "../../../../test/needs.ts";
import { ownProc } from "../../../../test/own-proc.ts";
import { forbid } from "../../../../test/seccomp.ts";
import { Location, type OpenFlag, type OpenHow, openat2, Task } from "../../src/index.ts";
import { openFlags, resolveFlags } from "../../src/internal.ts";
import { makePlace } from "../place.ts";

const SYS_openat2 = 437; // on every architecture
const AT_FDCWD = -100;
const place = makePlace();
const root = place.folder;
const file = join(root, "file");
writeFileSync(file, "content");
writeFileSync(join(root, "other"), "");
mkdirSync(join(root, "folder"));

/** Makes a `struct open_how`, with bytes that a later kernel might add. */
function openHow(flags: number, mode: number, resolve: number, ...more: number[]): Buffer {
	return Buffer.from(BigUint64Array.from([flags, mode, resolve, ...more].map(BigInt)).buffer);
}

const path = Buffer.from(`${root}\0`);

/** Returns a mode without the bits of this process's umask. */
const masked = (mode: number) => mode & ~process.umask();

describe.each([["near"], ["far"]])("openat2 %s", (where) => {
	const run = <T>(fn: () => T): T => (where === "near" ? fn() : place.task.run(fn));
	const raw = (how: Buffer, size = how.length) =>
		Task.current().syscall(SYS_openat2, AT_FDCWD, path, how, size) as bigint;

	// The flags that F_GETFL returns for an open file: O_CREAT and others apply only to the opening.
	const told: [flags: OpenFlag[], status: OpenFlag[]][] = [
		[["rdonly"], ["rdonly"]],
		[["wronly"], ["wronly"]],
		[
			["rdwr", "append"],
			["rdwr", "append"],
		],
		[
			["rdwr", "creat", "noctty", "trunc", "nonblock"],
			["rdwr", "nonblock"],
		],
		[
			["wronly", "dsync", "async"],
			["wronly", "dsync", "async"],
		],
		[
			["wronly", "sync", "largefile"],
			["wronly", "sync", "largefile"],
		],
		[["rdonly", "nofollow", "noatime"], ["noatime"]],
		[["path", "nofollow", "cloexec"], ["path"]],
	];
	test.each(told)("%j are passed on", (flags, status) => {
		run(() => {
			using opened = openat2(join(root, "other"), { flags, ...(flags.includes("creat") && { mode: 0o600 }) });
			const pid = Task.current().pid;
			const bits = Number.parseInt(
				/flags:\s*(\d+)/.exec(readFileSync(`/proc/${pid}/fdinfo/${opened.fd}`, "utf8"))?.[1] ?? "",
				8,
			);
			for (const name of status) expect(bits & openFlags[name], name).toBe(openFlags[name]);
			expect(bits & openFlags.cloexec).toBe(openFlags.cloexec);
		});
	});

	needs("a temporary folder with O_TMPFILE").test("tmpfile has no name, directory wants one, excl a new file", () => {
		run(() => {
			using nameless = openat2(root, { flags: ["tmpfile", "rdwr"], mode: 0o640 });
			expect(nameless.write("x")).toBe(1);
			const link = `${ownProc}/${Task.current().pid}/fd/${nameless.fd}`;
			expect([readlinkSync(link), statSync(link).mode & 0o777]).toEqual([
				expect.stringContaining("(deleted)"),
				masked(0o640),
			]);
			using folder = openat2(root, { flags: ["directory"] });
			const name = `new-${where}`;
			using made = openat2(new Location(folder, name), { flags: ["creat", "excl", "wronly"], mode: 0o2604 });
			expect(made.write("x")).toBe(1);
			expect(lstatSync(join(root, name)).mode & 0o777).toBe(masked(0o604));
		});
	});

	needs("an ordinary user").test("noatime of another user's file is EPERM", () => {
		const error = expect.objectContaining({ code: "EPERM", syscall: "openat2" });
		expect(() => run(() => openat2("/etc/passwd", { flags: ["noatime"] }))).toThrow(error);
	});

	test("OA2-05 a struct without its first version is EINVAL, one of a later version E2BIG unless the rest is zero", () => {
		run(() => {
			const how = openHow(openFlags.path | openFlags.cloexec, 0, 0);
			for (const size of [0, 23]) expect(() => raw(how, size)).toThrow(expect.objectContaining({ code: "EINVAL" }));
			const later = openHow(openFlags.path, 0, 0, 1);
			expect(() => raw(later)).toThrow(expect.objectContaining({ code: "E2BIG" }));
			later.writeBigUInt64LE(0n, 24);
			expect(Task.current().syscall(process.arch === "x64" ? 3 : 57, raw(later))).toBe(0n);
		});
	});

	const modes: [how: OpenHow, code: string][] = [
		[{ mode: 0o600 }, "EINVAL"],
		[{ flags: ["directory"], mode: 0o400 }, "EINVAL"],
		[{ flags: ["path", "wronly"] }, "EINVAL"],
		[{ flags: ["tmpfile"], mode: 0o600 }, "EINVAL"],
		[{ flags: ["creat", "directory"] }, "EINVAL"],
		[{ resolve: 0x40 }, "EINVAL"],
	];
	test.each(modes)("OA2-05 %j is %s", (how, code) => {
		expect(() => run(() => openat2(root, how))).toThrow(expect.objectContaining({ code, syscall: "openat2" }));
	});

	needs("Linux 5.12").test(
		"cached opens what was looked up before, and is EAGAIN where something has to be made",
		() => {
			run(() => {
				using first = openat2(file);
				using again = openat2(file, { resolve: ["cached"] });
				expect(`${again.read(7)}`).toBe(`${first.read(7)}`);
				const how: OpenHow = { flags: ["tmpfile", "rdwr"], mode: 0o600, resolve: ["cached"] };
				expect(() => openat2(root, how)).toThrow(expect.objectContaining({ code: "EAGAIN", syscall: "openat2" }));
			});
		},
	);

	test("several ways of resolving at once", () => {
		run(() => {
			using folder = openat2(root, { flags: ["path"] });
			const resolve = ["noXdev", "noMagiclinks", "noSymlinks", "inRoot", "cached"] as const;
			using opened = openat2(new Location(folder, "/file"), { resolve });
			expect(`${opened.read(7)}`).toBe("content");
		});
	});

	test("goes into a batch, with a location in what the batch opens", async () => {
		const target = where === "near" ? Task.near : place.task;
		using opened = await target.batch(() => {
			using folder = openat2(root, { flags: ["path", "directory"], resolve: ["noSymlinks"] });
			return openat2(new Location(folder).join("folder", "..", "file"), { resolve: ["beneath"] });
		});
		expect(run(() => `${opened.read(7)}`)).toBe("content");
		const failing = target.batch(() => {
			using folder = openat2(root, { flags: ["path"] });
			openat2(new Location(folder, "../x"), { resolve: ["beneath"] });
		});
		await expect(failing).rejects.toMatchObject({ code: "EXDEV", syscall: "openat2", path: "../x", step: 1 });
	});
});

test("every way of resolving and every flag is known: those of the headers", () => {
	expect(Object.values(resolveFlags).reduce<number>((all, bit) => all | bit, 0)).toBe(0x3f);
	const valid = 0o37777703; // VALID_OPEN_FLAGS of the kernel, on x64
	const known = Object.values(openFlags).reduce<number>((all, bit) => all | bit, 0);
	if (process.arch === "x64") expect(known).toBe(valid);
});

test("ENOSYS where it is forbidden, or older than the call", async () => {
	await using old = await Task.clone();
	forbid(old, SYS_openat2, 38);
	const error = expect.objectContaining({ code: "ENOSYS", syscall: "openat2", task: `${old}` });
	expect(() => old.run(() => openat2("/"))).toThrow(error);
});
