import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { highestGlibc, readElf } from "./elf.mjs";
import { makeElf } from "./slice/make-elf.mjs";

test("the program that runs this test has the machine of this process and needs a C library", () => {
	const elf = readElf(readFileSync(process.execPath));
	expect(elf.cpu).toBe(process.arch);
	expect(elf.interpreter).toMatch(/^\/.*ld-/);
	expect(elf.needed.some((name) => name.startsWith("libc."))).toBe(true);
});

test("the facts of an ELF file are those that it was made with", () => {
	const versions = ["GLIBC_2.9", "GLIBC_2.28", "GCC_3.0", "GLIBC_2.2.5"];
	const elf = readElf(
		makeElf({ cpu: "arm64", needed: ["libc.so.6", "libm.so.6"], versions, runPath: "/lib", interpreter: "/ld" }),
	);
	expect(elf).toEqual({
		cpu: "arm64",
		isShared: true,
		interpreter: "/ld",
		needed: ["libc.so.6", "libm.so.6"],
		runPath: "/lib",
		versions,
	});
	expect(highestGlibc(elf)).toEqual([2, 28]);
});

test("a static program needs nothing", () => {
	const elf = readElf(makeElf({ cpu: "x64" }));
	expect(elf).toMatchObject({ isShared: false, interpreter: undefined, needed: [], versions: [] });
	expect(highestGlibc(elf)).toBeUndefined();
});

test("other files and files that are cut off are refused", () => {
	const whole = makeElf({ cpu: "x64", needed: ["libc.so.6"], versions: ["GLIBC_2.4"] });
	for (const bytes of [Buffer.alloc(0), Buffer.alloc(100), Buffer.from("#!/bin/sh\n"), whole.subarray(0, 90)]) {
		expect(() => readElf(bytes)).toThrow(Error);
	}
});

test("lists that run in circles or out of the file are refused, and end", () => {
	const whole = makeElf({ cpu: "x64", needed: ["libc.so.6"], versions: ["GLIBC_2.4", "GLIBC_2.5"] });
	const broken = (change) => {
		const bytes = Buffer.from(whole);
		change(bytes, bytes.indexOf(Buffer.from([1, 0, 2, 0]), 232)); // the list of versions: its format, and two versions
		return () => readElf(bytes);
	};
	const changes = {
		"2 to the power of 40 libraries": (bytes) => bytes.writeUInt8(1, bytes.length - 16 * 2 + 8 + 5),
		"no way to the next version": (bytes, list) => bytes.writeUInt32LE(0, list + 16 + 12),
		"a version beyond the end": (bytes, list) => bytes.writeUInt32LE(0x7fffffff, list + 16 + 12),
		"program headers of another size": (bytes) => bytes.writeUInt16LE(0, 54),
		"a segment beyond the end": (bytes) => bytes.writeBigUInt64LE(1n << 40n, 64 + 32),
	};
	for (const [name, change] of Object.entries(changes)) expect(broken(change), name).toThrow(Error);
});
