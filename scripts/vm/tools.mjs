// The programs that make and run machines: qemu, mke2fs and others, unpacked from Debian's packages with all their libraries.
import * as fs from "node:fs";
import { join } from "node:path";
import { unpack } from "./debian.mjs";

const packages = ["qemu-system-x86", "qemu-system-arm", "e2fsprogs", "util-linux", "xz-utils", "zstd"];
const linkers = { x64: "ld-linux-x86-64.so.2", arm64: "ld-linux-aarch64.so.1" };
const triples = { x64: "x86_64-linux-gnu", arm64: "aarch64-linux-gnu" };

/** Fetches the programs, unless an earlier run has, and returns their folder. */
export function fetchTools() {
	return unpack(`tools-${process.arch}`, { release: "bookworm", arch: process.arch, packages });
}

/** Returns the command of a program: the path of a dynamic linker, and arguments before those of the program. */
export function toolCommand(name) {
	const folder = fetchTools();
	const file = ["usr/bin", "usr/sbin"].map((each) => join(folder, each, name)).find(fs.existsSync);
	const triple = triples[process.arch];
	const libraries = [`usr/lib/${triple}`, `usr/lib/${triple}/pulseaudio`].map((each) => join(folder, each));
	return [join(folder, "usr/lib", triple, linkers[process.arch]), "--library-path", libraries.join(":"), file];
}

/** The folders with the firmware of machines. */
export const firmwareFolders = () => ["qemu", "seabios"].map((name) => join(fetchTools(), "usr/share", name));

/** The folder with the modules of qemu. */
export const moduleFolder = () => join(fetchTools(), `usr/lib/${triples[process.arch]}/qemu`);
