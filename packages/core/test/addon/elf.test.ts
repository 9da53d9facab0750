import { spawnSync } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { needs } from "../../../../test/needs.ts";
import { readElf } from "../../src/addon/elf.ts";
import { type MadeElf, PT_INTERP, writeElf } from "./write-elf.ts";

const folder = mkdtempSync(join(tmpdir(), "nearfar-elf-"));
afterAll(() => rmSync(folder, { recursive: true }));

const INTERPRETER = "/lib64/ld-linux-x86-64.so.2";
const write = (made: MadeElf) => writeElf(join(folder, "file"), made);

test("the headers name the CPU and the interpreter", () => {
	expect(readElf(write({}))).toEqual({ cpu: "x64", interpreter: INTERPRETER, complete: true });
	expect(readElf(write({ machine: 183 }))).toMatchObject({ cpu: "arm64" });
	expect(readElf(write({ machine: 22 }))).toMatchObject({ cpu: "ELF machine 22" });
});

test.each<[string, MadeElf]>([
	["another magic number", { magic: 0x23212f62 }],
	["32 bits", { elfClass: 1 }],
	["the other byte order", { order: 2 }],
])("a file with %s is no ELF file of this kind", (_, made) => {
	expect(readElf(write(made))).toBeUndefined();
});

const HUGE = 2n ** 64n - 1n;
test.each<[string, MadeElf]>([
	["no program headers", { entries: [] }],
	["a table beyond the end", { tableAt: 1_000_000n }],
	["a table at the highest offset", { tableAt: HUGE }],
	["65535 program headers", { count: 65_535 }],
	["program headers of another size", { entrySize: 32 }],
	["an interpreter beyond the end", { entries: [{ type: PT_INTERP, offset: 119n, length: 1000n }] }],
	["an interpreter at the highest offset", { entries: [{ type: PT_INTERP, offset: HUGE, length: 10n }] }],
	["an interpreter of the highest length", { entries: [{ type: PT_INTERP, offset: 120n, length: HUGE }] }],
	[
		"an interpreter of 5000 bytes",
		{ entries: [{ type: PT_INTERP, offset: 120n, length: 5000n }], text: "x".repeat(5000) },
	],
	["no interpreter", { entries: [{ type: 1, offset: 0n, length: 64n }] }],
])("a file with %s names no interpreter", (_, made) => {
	expect(readElf(write(made))).toMatchObject({ cpu: "x64", interpreter: undefined });
});

test("the first of two interpreters counts, and its name ends with the first zero byte", () => {
	const entries = [
		{ type: PT_INTERP, offset: 176n, length: 12n },
		{ type: PT_INTERP, offset: 180n, length: 2n },
	];
	expect(readElf(write({ entries, text: "/ld\0more\0\0\0\0" }))).toMatchObject({ interpreter: "/ld" });
});

test("a file that is shorter than a segment is not complete", () => {
	const whole = { type: 1, offset: 0n, length: 130n };
	expect(readElf(write({ entries: [whole], text: "x".repeat(10) }))).toMatchObject({ complete: true });
	expect(readElf(write({ entries: [whole], text: "x".repeat(9) }))).toMatchObject({ complete: false });
	expect(readElf(write({ entries: [{ ...whole, length: HUGE }] }))).toMatchObject({ complete: false });
});

test("an empty file and one that ends within its header are no ELF files", () => {
	const path = join(folder, "short");
	for (const length of [0, 4, 20, 63]) {
		writeFileSync(path, Buffer.from("\x7fELF\x02\x01".padEnd(64, "\0"), "latin1").subarray(0, length));
		expect(readElf(path)).toBeUndefined();
	}
});

describe("other kinds of files", () => {
	test("a folder and a device are no ELF files", () => {
		expect(readElf(folder)).toBeUndefined();
		expect(readElf("/dev/zero")).toBeUndefined();
	});

	needs("the program mkfifo").test("a FIFO without a writer is refused at once", () => {
		const path = join(folder, "fifo");
		expect(spawnSync("mkfifo", [path]).status).toBe(0);
		expect(readElf(path)).toBeUndefined();
	});

	test("a file that does not exist is ENOENT", () => {
		expect(() => readElf(join(folder, "none"))).toThrow(expect.objectContaining({ code: "ENOENT" }));
	});

	needs("an ordinary user").test("a file that this user may not read is EACCES", () => {
		const path = write({});
		chmodSync(path, 0);
		expect(() => readElf(path)).toThrow(expect.objectContaining({ code: "EACCES" }));
		rmSync(path);
	});
});

// Without /proc, process.execPath is the word with which Node was started.
needs("/proc").test("the running Node is complete, for this CPU", () => {
	expect(readElf(process.execPath)).toMatchObject({ cpu: process.arch, complete: true });
});
