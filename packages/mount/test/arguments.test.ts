import { Location, openat2 } from "@nearfar/core";
import { mount, mountSetattr, moveMount, openTree, pivotRoot, umount } from "@nearfar/mount";
import { describe, expect, test } from "vitest";

const beneath = new Location(undefined, "x", { symlinks: false });
const wrong = [
	["a NUL byte in the source", () => mount("a\0", "/x", null), "ERR_INVALID_ARG_VALUE"],
	["a NUL byte in the target", () => mount("a", Buffer.from("/x\0"), null), "ERR_INVALID_ARG_VALUE"],
	["a NUL byte in the file system", () => mount("a", "/x", "tmp\0fs"), "ERR_INVALID_ARG_VALUE"],
	["a NUL byte in the data", () => mount("a", "/x", "tmpfs", { data: "size=1\0" }), "ERR_INVALID_ARG_VALUE"],
	["a target that is none", () => mount("a", null as never, "tmpfs"), "ERR_INVALID_ARG_TYPE"],
	["a source that is a number", () => mount(1 as never, "/x", null), "ERR_INVALID_ARG_TYPE"],
	["a file system that is a number", () => mount("a", "/x", 1 as never), "ERR_INVALID_ARG_TYPE"],
	["data that is a number", () => mount("a", "/x", "tmpfs", { data: 1 as never }), "ERR_INVALID_ARG_TYPE"],
	["data with a comma in an element", () => mount("a", "/x", "tmpfs", { data: ["a,b"] }), "ERR_INVALID_ARG_VALUE"],
	["data with a comma in a value", () => mount("a", "/x", "tmpfs", { data: { a: "b,c" } }), "ERR_INVALID_ARG_VALUE"],
	["a mode as a number", () => mount("a", "/x", "tmpfs", { data: { mode: 0o700 } }), "ERR_INVALID_ARG_VALUE"],
	["a mask as a number", () => mount("a", "/x", "vfat", { data: { fmask: 0o77n } }), "ERR_INVALID_ARG_VALUE"],
	["data that is a map", () => mount("a", "/x", "tmpfs", { data: new Map() as never }), "ERR_INVALID_ARG_TYPE"],
	[
		"data of more than a page in a list",
		() => mount("a", "/x", "tmpfs", { data: ["a".repeat(4096)] }),
		"ERR_OUT_OF_RANGE",
	],
	["two kinds of propagation", () => mount(null, "/x", null, { flags: ["shared", "slave"] }), "ERR_INVALID_ARG_VALUE"],
	["propagation and bind", () => mount("/x", "/x", null, { flags: ["bind", "private"] }), "ERR_INVALID_ARG_VALUE"],
	["data of more than a page", () => mount("a", "/x", "tmpfs", { data: "é".repeat(2048) }), "ERR_OUT_OF_RANGE"],
	["an unknown flag of mount", () => mount("a", "/x", null, { flags: ["nosuidd" as never] }), "ERR_INVALID_ARG_VALUE"],
	["flags that are a string", () => mount("a", "/x", null, { flags: "bind" as never }), "ERR_INVALID_ARG_TYPE"],
	["negative flags", () => mount("a", "/x", null, { flags: -1 }), "ERR_OUT_OF_RANGE"],
	["options that are none", () => mount("a", "/x", null, [] as never), "ERR_INVALID_ARG_TYPE"],
	["a target whose link mount would follow", () => mount("a", beneath, "tmpfs"), "ERR_INVALID_ARG_VALUE"],
	["a source whose link mount would follow", () => mount(beneath, "/x", null), "ERR_INVALID_ARG_VALUE"],
	["an unknown flag of umount", () => umount("/x", { flags: ["lazy" as never] }), "ERR_INVALID_ARG_VALUE"],
	["flags of umount over 32 bits", () => umount("/x", { flags: 2 ** 32 }), "ERR_OUT_OF_RANGE"],
	["a NUL byte for umount", () => umount("/x\0"), "ERR_INVALID_ARG_VALUE"],
	["a NUL byte for pivotRoot", () => pivotRoot("/x", "/y\0"), "ERR_INVALID_ARG_VALUE"],
	["a root whose link pivotRoot would follow", () => pivotRoot(beneath, "/y"), "ERR_INVALID_ARG_VALUE"],
	["an unknown flag of openTree", () => openTree("/x", { flags: ["copy" as never] }), "ERR_INVALID_ARG_VALUE"],
	["flags of openTree over 32 bits", () => openTree("/x", { flags: 2 ** 32 }), "ERR_OUT_OF_RANGE"],
	["a NUL byte for openTree", () => openTree("\0"), "ERR_INVALID_ARG_VALUE"],
	["an unknown flag of moveMount", () => moveMount("/x", "/y", { flags: ["t" as never] }), "ERR_INVALID_ARG_VALUE"],
	["a place of moveMount that is none", () => moveMount("/x", undefined as never), "ERR_INVALID_ARG_TYPE"],
	["an unknown attribute", () => mountSetattr("/x", { set: ["ro" as never] }), "ERR_INVALID_ARG_VALUE"],
	["an unknown attribute to clear", () => mountSetattr("/x", { clear: ["ro" as never] }), "ERR_INVALID_ARG_VALUE"],
	["idmap without a user namespace", () => mountSetattr("/x", { set: ["idmap"] }), "ERR_INVALID_ARG_VALUE"],
	["an unknown propagation", () => mountSetattr("/x", { propagation: "both" as never }), "ERR_INVALID_ARG_VALUE"],
	["an unknown atime", () => mountSetattr("/x", { atime: "never" as never }), "ERR_INVALID_ARG_VALUE"],
	["recursive that is a number", () => mountSetattr("/x", { recursive: 1 as never }), "ERR_INVALID_ARG_TYPE"],
	["a user namespace that is a number", () => mountSetattr("/x", { userns: 5 as never }), "ERR_INVALID_ARG_TYPE"],
] as const;

describe("wrong arguments", () => {
	test.each(wrong)("%s", (_, call, code) => {
		expect(call).toThrow(expect.objectContaining({ code }));
	});

	test("a closed descriptor", () => {
		const closed = openat2("/", { flags: ["path"] });
		closed.close();
		const code = "ERR_NEARFAR_CLOSED";
		expect(() => mount(closed, "/x", null)).toThrow(expect.objectContaining({ code }));
		expect(() => umount(new Location(closed, "x"))).toThrow(expect.objectContaining({ code }));
		expect(() => openTree(closed)).toThrow(expect.objectContaining({ code }));
		expect(() => moveMount("/x", closed)).toThrow(expect.objectContaining({ code }));
		expect(() => mountSetattr(closed, {})).toThrow(expect.objectContaining({ code }));
	});

	test("a propagation is one of the names", () => {
		// @ts-expect-error
		expect(() => mountSetattr("/x", { propagation: ["private"] })).toThrow(TypeError);
	});
});
