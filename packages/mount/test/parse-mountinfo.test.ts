import { type MountInfo, parseMountinfo } from "@nearfar/mount";
import { describe, expect, test } from "vitest";
import { refusal } from "../../../test/refusal.ts";

const code = "ERR_NEARFAR_FORMAT";

/** Parses one line, as text and as bytes, and expects the same of both. */
function parseOne(line: string): MountInfo {
	const [mount, ...others] = parseMountinfo(`${line}\n`);
	expect(others).toEqual([]);
	expect(parseMountinfo(Buffer.from(`${line}\n`))).toEqual([mount]);
	return mount as MountInfo;
}

test("a line has all fields, and each of them is where it belongs", () => {
	const line =
		"36 35 98:7 /mnt1 /mnt2 rw,noatime shared:4 master:1 propagate_from:2 - ext3.sub /dev/root ro,errors=continue";
	expect(parseOne(line)).toStrictEqual({
		id: 36,
		parentId: 35,
		dev: { major: 98, minor: 7 },
		root: "/mnt1",
		deleted: false,
		mountPoint: "/mnt2",
		options: ["rw", "noatime"],
		optional: ["shared:4", "master:1", "propagate_from:2"],
		peerGroup: 4,
		master: 1,
		propagateFrom: 2,
		unbindable: false,
		fsType: "ext3.sub",
		source: "/dev/root",
		superOptions: ["ro", "errors=continue"],
	});
});

test("a mount without optional fields is in no group, and an unbindable one says so", () => {
	expect(parseOne("1 2 0:3 / /x rw - tmpfs none rw")).toStrictEqual({
		id: 1,
		parentId: 2,
		dev: { major: 0, minor: 3 },
		root: "/",
		deleted: false,
		mountPoint: "/x",
		options: ["rw"],
		optional: [],
		unbindable: false,
		fsType: "tmpfs",
		source: "none",
		superOptions: ["rw"],
	});
	expect(parseOne("1 2 0:3 / /x rw unbindable - tmpfs none rw")).toMatchObject({
		unbindable: true,
		optional: ["unbindable"],
	});
});

test("unknown optional fields are kept and hide nothing", () => {
	const mount = parseOne("1 2 0:3 / /x rw new shared:9 other:3 shared:x x-y=\\040 - tmpfs none rw");
	expect(mount).toMatchObject({ peerGroup: 9, fsType: "tmpfs", source: "none" });
	expect(mount.optional).toEqual(["new", "shared:9", "other:3", "shared:x", "x-y= "]);
	expect(parseOne("1 2 0:3 / /x rw shared: master - tmpfs none rw")).not.toHaveProperty("peerGroup");
});

describe("names", () => {
	test("netdata PR 716, drivelist PR 153, ghw #45, pydf #31: blanks, tabs, newlines and backslashes are decoded", () => {
		const mount = parseOne("1 2 0:3 /a\\040b /c\\011d\\012e\\134f rw - tmpfs my\\040source rw");
		expect(mount).toMatchObject({ root: "/a b", mountPoint: "/c\td\ne\\f", source: "my source" });
		expect(parseOne("1 2 0:3 / /a\\134040b rw - tmpfs none rw").mountPoint).toBe("/a\\040b");
	});

	test("uutils PR 5679, moby PR 38977, nilfs #22: every octal escape is decoded, not four of them", () => {
		expect(parseOne("1 2 0:3 / /x rw - tmpfs \\043hash rw").source).toBe("#hash");
		for (let byte = 1; byte < 256; byte++) {
			const line = `1 2 0:3 / /<\\${byte.toString(8).padStart(3, "0")}> rw - tmpfs none rw\n`;
			const expected = Buffer.from([0x2f, 0x3c, byte, 0x3e]);
			for (const text of [line, Buffer.from(line)]) {
				expect(parseMountinfo(text, { encoding: "buffer" })[0]?.mountPoint).toEqual(expected);
				expect(parseMountinfo(text)[0]?.mountPoint).toBe(expected.toString());
			}
		}
	});

	test("what is no escape stays as it is", () => {
		for (const name of ["/\\", "/\\0", "/\\04", "/\\400", "/\\777", "/\\08x", "/\\xff", "/\\n", "/a\\"]) {
			expect(parseOne(`1 2 0:3 / ${name} rw - tmpfs none rw`).mountPoint).toBe(name);
		}
	});

	test("escapes of bytes make one character where they are one in UTF-8", () => {
		expect(parseOne("1 2 0:3 / /\\303\\251\\342\\202\\254 rw - tmpfs none rw").mountPoint).toBe("/é€");
		expect(parseOne("1 2 0:3 /ü\\040€ /é rw - tmpfs \u{1f600} rw")).toMatchObject({
			root: "/ü €",
			mountPoint: "/é",
			source: "\u{1f600}",
		});
	});

	test("bytes that are no UTF-8 are kept with encoding buffer, and are U+FFFD without", () => {
		const bytes = Buffer.concat([Buffer.from("1 2 0:3 /"), Buffer.of(0xff), Buffer.from(" /"), Buffer.of(0xfe, 0x80)]);
		const line = Buffer.concat([bytes, Buffer.from(" rw - tmpfs "), Buffer.of(0xc3), Buffer.from(" rw,é\n")]);
		expect(parseMountinfo(line, { encoding: "buffer" })[0]).toMatchObject({
			root: Buffer.of(0x2f, 0xff),
			mountPoint: Buffer.of(0x2f, 0xfe, 0x80),
			source: Buffer.of(0xc3),
			fsType: "tmpfs",
			superOptions: ["rw", "é"],
		});
		expect(parseMountinfo(line, { encoding: "utf8" })[0]).toMatchObject({
			root: "/\ufffd",
			mountPoint: "/\ufffd\ufffd",
			source: "\ufffd",
		});
	});

	test("duf PR 154: the separator is the first - after the sixth field, and - is a name like others", () => {
		expect(parseOne("1 2 0:3 - - - shared:1 - - - -")).toMatchObject({
			root: "-",
			mountPoint: "-",
			options: ["-"],
			optional: ["shared:1"],
			fsType: "-",
			source: "-",
			superOptions: ["-"],
		});
		expect(parseOne("1 2 0:3 / /x rw - tmpfs - rw").source).toBe("-");
	});

	test("a source may be empty", () => {
		const mount = parseOne("1 2 0:3 / /x rw - tmpfs  rw,size=1k");
		expect(mount).toMatchObject({ fsType: "tmpfs", source: "", superOptions: ["rw", "size=1k"] });
	});

	test("a root that was removed is deleted, whatever a mount point is called", () => {
		expect(parseOne("1 2 0:3 /a\\040b//deleted /x rw - tmpfs none rw")).toMatchObject({ root: "/a b", deleted: true });
		const name = "/x\\040(deleted)";
		expect(parseOne(`1 2 0:3 / ${name} rw - tmpfs none rw`)).toMatchObject({
			mountPoint: "/x (deleted)",
			deleted: false,
		});
		expect(parseOne("1 2 0:3 /deleted /x//deleted rw - tmpfs none rw")).toMatchObject({
			root: "/deleted",
			mountPoint: "/x//deleted",
			deleted: false,
		});
		const [bytes] = parseMountinfo("1 2 0:3 /a//deleted /x rw - tmpfs none rw\n", { encoding: "buffer" });
		expect(bytes).toMatchObject({ root: Buffer.from("/a"), deleted: true });
	});

	test("a root may be one of a namespace, or begin above the mount", () => {
		expect(parseOne("1 2 0:4 net:[4026531840] /run/netns/a rw - nsfs nsfs rw").root).toBe("net:[4026531840]");
		expect(parseOne("1 2 0:4 /.. /sys/fs/cgroup rw - cgroup2 cgroup2 rw").root).toBe("/..");
	});
});

describe("options", () => {
	test("overlay's options are cut at commas, and then \\054 is a comma and \\072 a colon", () => {
		const mount = parseOne(
			"1 2 0:3 / /x rw,relatime - overlay overlay rw,lowerdir=/a\\054b:/c\\134:d,upperdir=/e\\040f\\072,index=off",
		);
		expect(mount.superOptions).toEqual(["rw", "lowerdir=/a,b:/c\\:d", "upperdir=/e f:", "index=off"]);
	});

	test("an empty option is one too", () => {
		expect(parseOne("1 2 0:3 / /x rw,,ro - tmpfs none rw,").options).toEqual(["rw", "", "ro"]);
		expect(parseOne("1 2 0:3 / /x rw,,ro - tmpfs none rw,").superOptions).toEqual(["rw", ""]);
	});

	test("options of a file system that does not escape them reach to the end of the line", () => {
		const line = "1 2 0:3 / /x rw - 9p drvfs rw,aname=drvfs;path=C:\\Program Files\\;uid=0,x";
		expect(parseOne(line).superOptions).toEqual(["rw", "aname=drvfs;path=C:\\Program Files\\;uid=0", "x"]);
	});
});

test("lines come in their order, with and without a last newline, and no text is no mount", () => {
	const line = (id: number) => `${id} 2 0:3 / /${id} rw - tmpfs none rw`;
	const text = [30, 4, 100].map(line).join("\n");
	for (const whole of [text, `${text}\n`]) {
		expect(parseMountinfo(whole).map(({ id }) => id)).toEqual([30, 4, 100]);
	}
	expect(parseMountinfo("")).toEqual([]);
	expect(parseMountinfo(Buffer.alloc(0))).toEqual([]);
});

test.each([
	["an empty line", ""],
	["one word", "mount"],
	["a line of /proc/mounts", "tmpfs /tmp tmpfs rw,nosuid 0 0"],
	["no id", "x 2 0:3 / /x rw - tmpfs none rw"],
	["an id with a sign", "+1 2 0:3 / /x rw - tmpfs none rw"],
	["an id that is too long", "12345678901 2 0:3 / /x rw - tmpfs none rw"],
	["no parent", "1  0:3 / /x rw - tmpfs none rw"],
	["no minor number", "1 2 0: / /x rw - tmpfs none rw"],
	["no colon in the device", "1 2 03 / /x rw - tmpfs none rw"],
	["no root", "1 2 0:3  /x rw - tmpfs none rw"],
	["no mount point", "1 2 0:3 /  rw - tmpfs none rw"],
	["no options", "1 2 0:3 / /x  - tmpfs none rw"],
	["no separator", "1 2 0:3 / /x rw tmpfs none rw"],
	["no file system", "1 2 0:3 / /x rw -  none rw"],
	["an end after the separator", "1 2 0:3 / /x rw -"],
	["an end after the file system", "1 2 0:3 / /x rw - tmpfs"],
	["an end after the source", "1 2 0:3 / /x rw - tmpfs none"],
	["a blank after the source", "1 2 0:3 / /x rw - tmpfs none "],
	["a blank at the beginning", " 1 2 0:3 / /x rw - tmpfs none rw"],
	["two blanks before the separator", "1 2 0:3 / /x rw  - tmpfs none rw"],
	["a mount point with a newline", "1 2 0:3 / /x\ny rw - tmpfs none rw"],
])("%s throws wherever the line is, and none is skipped", (_, line) => {
	const good = "1 2 0:3 / /x rw - tmpfs none rw";
	for (const text of [`${line}\n`, `${good}\n${line}\n`, `${line}\n${good}\n`, `${good}\n${line}\n${good}`]) {
		expect(refusal(() => parseMountinfo(text)).code).toBe(code);
		expect(refusal(() => parseMountinfo(Buffer.from(text))).code).toBe(code);
	}
});

test("bytes that are no Buffer are read as bytes", () => {
	const text = Buffer.from("36 35 98:0 / /a rw - tmpfs none rw\n");
	const bytes = new Uint8Array([0x31, ...text, 0x31]).subarray(1, text.length + 1);
	expect(parseMountinfo(bytes as Buffer)).toEqual(parseMountinfo(text));
});

test("wrong arguments are refused", () => {
	for (const wrong of [undefined, 1, [], { length: 1 }]) {
		expect(refusal(() => parseMountinfo(wrong as never)).code).toBe("ERR_INVALID_ARG_TYPE");
	}
	expect(refusal(() => parseMountinfo("", { encoding: "latin1" as never })).code).toBe("ERR_INVALID_ARG_VALUE");
	expect(refusal(() => parseMountinfo("", { enc: "utf8" } as never)).code).toBe("ERR_INVALID_ARG_VALUE");
	expect(refusal(() => parseMountinfo("", "utf8" as never)).code).toBe("ERR_INVALID_ARG_TYPE");
});
