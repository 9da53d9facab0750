import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { addonName, platforms, sliceFolder } from "./platforms.mjs";
import { root } from "./run.mjs";
import { makeElf } from "./slice/make-elf.mjs";
import { checkSlice } from "./slice.mjs";

let folder;

beforeEach(() => {
	folder = fs.mkdtempSync(join(tmpdir(), "nearfar-slice-"));
});

afterEach(() => fs.rmSync(folder, { recursive: true, force: true }));

const path = (name) => join(folder, name);
const libc = { glibc: "libc.so.6", musl: "libc.so" };

/** Makes a slice that passes all gates: the files of the repository, and an addon and a stub that have only what gates read. */
function makeSlice(platform) {
	for (const name of ["LICENSE", "README.md", "THIRD-PARTY.md", "package.json"])
		fs.copyFileSync(join(sliceFolder(platform), name), path(name));
	fs.writeFileSync(path("nearfar-stub"), makeElf({ cpu: platform.cpu }));
	fs.chmodSync(path("nearfar-stub"), 0o755);
	writeAddon(platform, {});
}

function writeAddon(platform, parts) {
	const versions = platform.glibc ? ["GLIBC_2.17", `GLIBC_${platform.glibc}`] : [];
	const needed = [libc[platform.libc]];
	const elf = makeElf({ cpu: platform.cpu, needed, versions, ...parts });
	// The bytes of the stub lie in the addon, too.
	fs.writeFileSync(path(addonName(platform)), Buffer.concat([elf, fs.readFileSync(path("nearfar-stub"))]));
	fs.chmodSync(path(addonName(platform)), 0o644);
}

function edit(name, change) {
	const bytes = fs.readFileSync(path(name));
	fs.writeFileSync(path(name), change(bytes));
}

function flip(name, at) {
	edit(name, (bytes) => {
		bytes[at < 0 ? bytes.length + at : at] ^= 1;
		return bytes;
	});
}

const editManifest = (change) =>
	edit("package.json", (bytes) => JSON.stringify({ ...JSON.parse(bytes), ...change(JSON.parse(bytes)) }));

/** What can be wrong with one slice: how to break it, and words of the one fault. */
const corruptions = (platform) => {
	const addon = addonName(platform);
	const build = "run `node scripts/slice.mjs";
	const other = platform.cpu === "x64" ? "arm64" : "x64";
	const needed = [libc[platform.libc]];
	return [
		["a missing addon", () => fs.rmSync(path(addon)), [addon, "is missing", build]],
		["a missing stub", () => fs.rmSync(path("nearfar-stub")), ["nearfar-stub is missing", build]],
		["missing licenses", () => fs.rmSync(path("THIRD-PARTY.md")), ["THIRD-PARTY.md is missing", "restore it"]],
		["a missing manifest", () => fs.rmSync(path("package.json")), ["package.json is missing", "restore it"]],
		["a file too many", () => fs.writeFileSync(path("core"), ""), ["core is no part of a slice", "remove it"]],
		["a stub that is not executable", () => fs.chmodSync(path("nearfar-stub"), 0o644), ["mode 644", "chmod 755"]],
		["a stub with a set-user-id bit", () => fs.chmodSync(path("nearfar-stub"), 0o4755), ["mode 4755", "chmod 755"]],
		["an addon that others may write", () => fs.chmodSync(path(addon), 0o666), ["mode 666", "chmod 644"]],
		["another version than that of core", () => editManifest(() => ({ version: "9.9.9" })), ["version", "9.9.9"]],
		["another name", () => editManifest(() => ({ name: "core" })), ["name", "@nearfar/core-linux-"]],
		["another cpu", () => editManifest(() => ({ cpu: [other] })), ["cpu", other]],
		["another libc", () => editManifest(() => ({ libc: ["bionic"] })), ["libc", "bionic"]],
		["no list of executables", () => editManifest(() => ({ publishConfig: {} })), ["executableFiles"]],
		["a byte of the addon's machine", () => flip(addon, 18), ["is for machine", build]],
		["an addon of the other architecture", () => writeAddon(platform, { cpu: other }), [`is for ${other}`, build]],
		["a byte of the stub's machine", () => flip("nearfar-stub", 18), ["is for machine"]],
		["an addon that is empty", () => edit(addon, () => Buffer.alloc(0)), ["cannot be read", build]],
		["an addon that is cut off", () => edit(addon, (bytes) => bytes.subarray(0, 200)), ["cannot be read", build]],
		[
			"a library that Node does not bring",
			() => writeAddon(platform, { needed: [...needed, "libgcc_s.so.1"] }),
			["libgcc_s"],
		],
		[
			"another version of a library",
			() => writeAddon(platform, { needed: [...needed, `${needed[0]}9`] }),
			[`needs ${needed[0]}9`, build],
		],
		[
			"the dynamic linker of the other architecture",
			() =>
				writeAddon(platform, {
					needed: [...needed, { x64: "ld-linux-aarch64.so.1", arm64: "ld-linux-x86-64.so.2" }[platform.cpu]],
				}),
			["needs ld-linux", build],
		],
		[
			"relocations that an old glibc does not know",
			() => writeAddon(platform, { versions: ["GLIBC_ABI_DT_RELR"] }),
			["needs GLIBC_ABI_DT_RELR", build],
		],
		[
			"an addon of which the last byte is missing",
			() => edit(addon, (bytes) => wholeElf(bytes).subarray(0, -1)),
			["cut off", build],
		],
		["no C library", () => writeAddon(platform, { needed: ["libm.so.6"], versions: [] }), undefined],
		["a glibc that is too new", () => writeAddon(platform, { versions: ["GLIBC_2.29"] }), ["needs glibc 2.29", build]],
		["a folder to look for libraries", () => writeAddon(platform, { runPath: "/opt/lib" }), ["/opt/lib", build]],
		["an addon that is a program", () => writeAddon(platform, { interpreter: "/lib/ld.so" }), ["no shared object"]],
		[
			"the tree of this machine",
			() => writeAddon(platform, { text: join(root, "crates") }),
			[root.slice(0, -1), build],
		],
		["a home of another machine", () => writeAddon(platform, { text: "/home/someone/src/lib.rs" }), ["/home/", build]],
		[
			"a byte over 1 MiB",
			() => edit(addon, (bytes) => Buffer.concat([bytes, Buffer.alloc(2 ** 20 + 1 - bytes.length)])),
			["1048577 bytes", "limit is 1048576"],
		],
		[
			"a stub of 17 KB",
			() => edit("nearfar-stub", (bytes) => Buffer.concat([bytes, Buffer.alloc(17_000)])),
			["limit is 16384"],
		],
		[
			"a stub that needs a C library",
			() => edit("nearfar-stub", () => makeElf({ cpu: platform.cpu, needed })),
			["not static"],
		],
		[
			"a stub of another build",
			() => edit("nearfar-stub", (bytes) => Buffer.concat([bytes, Buffer.of(0)])),
			["nearfar-stub is not the stub inside of", build],
		],
		["an addon with the stub of another build", () => flip(addon, -1), ["is not the stub inside of", build]],
		["a stub that is a link", () => link("nearfar-stub"), ["nearfar-stub is no regular file", build]],
		["a license that is a link", () => link("LICENSE"), ["LICENSE is no regular file", "restore it"]],
		["a manifest that is a link", () => link("package.json"), ["package.json is no regular file", "restore it"]],
		[
			"a manifest that is cut off",
			() => edit("package.json", (bytes) => bytes.subarray(0, 50)),
			["package.json", "JSON", "restore it"],
		],
		["a manifest that is no object", () => edit("package.json", () => "null"), ["package.json: name", "version"]],
		["no folder", () => fs.rmSync(folder, { recursive: true }), ["is missing", "restore it"]],
	];
};

/** Returns an addon with a table of sections at its end, as linkers write it. */
function wholeElf(bytes) {
	bytes.writeBigUInt64LE(BigInt(bytes.length), 40);
	bytes.writeUInt16LE(64, 58);
	bytes.writeUInt16LE(2, 60);
	return Buffer.concat([bytes, Buffer.alloc(128)]);
}

function link(name) {
	fs.rmSync(path(name));
	fs.symlinkSync("/bin/true", path(name));
}

describe.each(platforms.map((platform) => [platform.name, platform]))("%s", (_name, platform) => {
	test("a slice with the right files passes all gates", () => {
		makeSlice(platform);
		expect(checkSlice(folder, platform)).toEqual([]);
		edit(addonName(platform), (bytes) => Buffer.concat([bytes, Buffer.alloc(2 ** 20 - bytes.length)]));
		fs.writeFileSync(path("CHANGELOG.md"), "");
		expect(checkSlice(folder, platform)).toEqual([]);
	});

	test.each(corruptions(platform))("%s is refused, and the message says what to do", (_what, corrupt, words) => {
		makeSlice(platform);
		corrupt();
		const faults = checkSlice(folder, platform);
		expect(faults.length).toBeGreaterThan(0);
		for (const word of words ?? []) expect(faults.join("\n")).toContain(word);
	});
});

test("every fault of a slice is listed", () => {
	const [platform] = platforms;
	makeSlice(platform);
	fs.rmSync(path("LICENSE"));
	fs.chmodSync(path("nearfar-stub"), 0o600);
	writeAddon(platform, { cpu: "arm64", versions: ["GLIBC_2.34"] });
	expect(checkSlice(folder, platform)).toHaveLength(4);
});
