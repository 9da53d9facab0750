import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { libcOfProcess, libcOfProgram } from "../../src/addon/libc.ts";
import { type MadeElf, writeElf } from "./write-elf.ts";

const folder = mkdtempSync(join(tmpdir(), "nearfar-libc-"));
afterAll(() => rmSync(folder, { recursive: true }));

const machine = process.arch === "arm64" ? 183 : 62;
const write = (made: MadeElf, name = "program") => writeElf(join(folder, name), { machine, ...made });

test.each([
	["gnu", "/lib64/ld-linux-x86-64.so.2"],
	["gnu", "/lib/ld-linux-aarch64.so.1"],
	["gnu", "/nix/store/3n58xw4373jp0ljirf06d8077j15pc4j-glibc-2.37/lib/ld-linux-x86-64.so.2"],
	["gnu", "/opt/sysroot/lib/ld-2.31.so"],
	["musl", "/lib/ld-musl-x86_64.so.1"],
	["musl", "/lib/ld-musl-aarch64.so.1"],
	["musl", "/nix/store/3n58xw4373jp0ljirf06d8077j15pc4j-musl-1.2.5/lib/ld-musl-x86_64.so.1"],
	["musl", "/usr/lib/x86_64-linux-musl/libc.so"],
	[undefined, "/system/bin/linker64"],
	[undefined, ""],
])("%s is the C library of a program that asks for the loader %s", (libc, path) => {
	expect(libcOfProgram(write({ text: `${path}\0` }))).toBe(libc);
});

test.each([
	["gnu", "ld-linux-x86-64.so.2"],
	["gnu", "ld-2.31.so"],
	["musl", "ld-musl-x86_64.so.1"],
	["musl", "libc.so"],
	[undefined, "node"], // a static program
])("%s is the C library of the running program %s without an interpreter", (libc, name) => {
	expect(libcOfProgram(write({ entries: [] }, name))).toBe(libc);
});

test("a program of another CPU, a folder and nothing say nothing", () => {
	expect(libcOfProgram(write({ machine: 243 }))).toBeUndefined();
	mkdirSync(join(folder, "folder"), { recursive: true });
	expect(libcOfProgram(join(folder, "folder"))).toBeUndefined();
	expect(libcOfProgram(join(folder, "nothing"))).toBeUndefined();
});

test("a changed process.execPath changes nothing where /proc has the running program", () => {
	const before = libcOfProcess();
	const { execPath } = process;
	try {
		process.execPath = join(folder, "nothing");
		expect(libcOfProcess()).toBe(before);
	} finally {
		process.execPath = execPath;
	}
});
