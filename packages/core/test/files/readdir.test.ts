import { chmodSync, mkdirSync, readdirSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { needs } from "../../../../test/needs.ts";
import { refusal, refused } from "../../../../test/refusal.ts";
import { Location, mkdir, mknod, openat2, readdir, Task } from "../../src/index.ts";
import { makePlace } from "../place.ts";
import { testRefusals } from "../refusals.ts";
import { cloneWithScratch } from "../scratch.ts";

const place = makePlace();
const at = (name: string) => join(place.folder, name);
const long = "n".repeat(255);
const bytes = Buffer.from([0x62, 0xff, 0xfe]);

beforeAll(() => {
	mkdirSync(at("folder"));
	mkdirSync(at("folder/inner"));
	mkdirSync(at("empty"));
	writeFileSync(at("folder/file"), "");
	writeFileSync(at(`folder/${long}`), "");
	symlinkSync("file", at("folder/link"));
	mknod(at("folder/fifo"), "fifo");
	mknod(at("folder/socket"), "socket");
	mknod(at("folder/whiteout"), "character", { device: { major: 0, minor: 0 } });
	symlinkSync("loop", at("loop"));
	symlinkSync("folder", at("link"));
	mkdirSync(at("bytes"));
	writeFileSync(Buffer.concat([Buffer.from(at("bytes/")), bytes]), "");
});

const entries = [
	["inner", "directory"],
	["file", "file"],
	[long, "file"],
	["link", "symlink"],
	["fifo", "fifo"],
	["socket", "socket"],
	["whiteout", "character"],
];

describe.each([["near"], ["far"]])("%s", (where) => {
	const run = <T>(fn: () => T): T => (where === "near" ? fn() : place.task.run(fn));

	test("has names and types of a directory, by path, through a link, and of an empty one", () => {
		for (const name of ["folder", "link", "folder/inner/.."]) {
			const found = run(() => readdir(`${place.folder}/${name}`));
			expect(found.map(({ name, type }) => [name, type]).sort()).toEqual([...entries].sort());
		}
		const file = run(() => readdir(at("folder"))).find(({ name }) => name === "file");
		expect(file?.ino).toBe(statSync(at("folder/file"), { bigint: true }).ino);
		expect(run(() => readdir(at("empty")))).toEqual([]);
	});

	test("reads an open directory again and again, also one that is only named, and leaves its offset", () => {
		run(() => {
			for (const flags of [["directory"], ["path", "directory"]] as const) {
				using folder = openat2(at("folder"), { flags });
				for (const place of [folder, new Location(folder), folder, new Location(folder, ".")])
					expect(readdir(place)).toHaveLength(entries.length);
				expect(readdir(new Location(folder, "inner"))).toEqual([]);
			}
		});
	});

	test("has names that are no text as bytes", () => {
		expect(run(() => readdir(at("bytes"), { encoding: "buffer" }))).toMatchObject([{ name: bytes, type: "file" }]);
		expect(run(() => readdir(at("bytes"), { encoding: "utf8" }))).toMatchObject([{ name: "b\ufffd\ufffd" }]);
	});

	test("leaves no descriptor open, also where it fails", () => {
		const before = run(() => openat2("/").take());
		run(() => {
			readdir(at("folder"));
			expect(() => readdir(at("none"))).toThrow(refused("ENOENT", "openat2"));
		});
		const after = run(() => openat2("/"));
		expect(after.fd).toBe(before + 1);
		run(() => after.close());
		closeNumber(run, before);
	});
});

/** Closes a number that was taken from its object. */
function closeNumber(run: <T>(fn: () => T) => T, number: number): void {
	run(() => Task.current().syscall(process.arch === "arm64" ? 57 : 3, number));
}

test("a directory that takes several calls is read whole, near and far", async () => {
	const names = Array.from({ length: 3000 }, (_, index) => `${index}`.padStart(40, "-"));
	mkdirSync(at("large"));
	for (const name of names) writeFileSync(at(`large/${name}`), "");
	const sorted = (found: readonly { name: string }[]) => found.map(({ name }) => name).sort();
	expect(sorted(readdir(at("large")))).toEqual(names);
	expect(sorted(place.task.run(() => readdir(at("large"))))).toEqual(names);
	expect(readdirSync(at("large"))).toHaveLength(names.length);
});

test("is refused in a batch, before a call is collected", async () => {
	await using task = await cloneWithScratch();
	await task.batch(() => {
		expect(refusal(() => readdir("/none")).code).toBe("ERR_NEARFAR_BATCH");
		mkdir("/tmp/new");
	});
	expect(task.run(() => readdir("/tmp"))).toMatchObject([{ name: "new", type: "directory" }]);
});

testRefusals(place, [
	["a missing directory", (at) => readdir(at("none")), "ENOENT", "openat2"],
	["nothing", () => readdir(""), "ENOENT", "openat2"],
	["a file", (at) => readdir(at("folder/file")), "ENOTDIR", "openat2"],
	["a fifo", (at) => readdir(at("folder/fifo")), "ENOTDIR", "openat2"],
	["a loop", (at) => readdir(at("loop")), "ELOOP", "openat2"],
	["a name that is too long", (at) => readdir(at(`${long}n`)), "ENAMETOOLONG", "openat2"],
	[
		"a link that is not to be followed",
		(at) => readdir(new Location(undefined, at("link"), { symlinks: false })),
		"ENOTDIR",
		"openat2",
	],
]);

needs("an ordinary user").test("a directory that may not be read is EACCES", () => {
	chmodSync(at("empty"), 0o300);
	expect(() => readdir(at("empty"))).toThrow(refused("EACCES", "openat2"));
	chmodSync(at("empty"), 0o755);
});

test.each([
	["readdir(1)", () => readdir(1 as never), "ERR_INVALID_ARG_TYPE"],
	['readdir("a\\0")', () => readdir("a\0"), "ERR_INVALID_ARG_VALUE"],
	["an unknown encoding", () => readdir("/", { encoding: "hex" as never }), "ERR_INVALID_ARG_VALUE"],
	["an unknown option", () => readdir("/", { withFileTypes: true } as never), "ERR_INVALID_ARG_VALUE"],
])("%s reaches no kernel", (_, call, code) => {
	expect(refusal(call).code).toBe(code);
});
