import { openat2, Task } from "@nearfar/core";
import { type MountFlag, mountFlags } from "@nearfar/core/internal";
import { type MountData, MountFlags } from "@nearfar/mount";
import { describe, expect, test } from "vitest";
import { refusal } from "../../../test/refusal.ts";

const codeOf = (fn: () => unknown) => refusal(fn).code;
const all = Object.keys(mountFlags) as MountFlag[];
const everything = MountFlags.from(2 ** 32 - 1);
const none = MountFlags.from(0);

/** For each word the flags that it adds, and those that it takes away. Independent of the table in the source. */
const words: [word: string, adds: MountFlag[], takesAway: MountFlag[]][] = [
	["acl", ["posixacl"], []],
	["async", [], ["synchronous"]],
	["atime", [], ["noatime"]],
	["bind", ["bind"], []],
	["defaults", [], []],
	["dev", [], ["nodev"]],
	["diratime", [], ["nodiratime"]],
	["dirsync", ["dirsync"], []],
	["exec", [], ["noexec"]],
	["iversion", ["iVersion"], []],
	["lazytime", ["lazytime"], []],
	["loud", [], ["silent"]],
	["mand", ["mandlock"], []],
	["noatime", ["noatime"], []],
	["nodev", ["nodev"], []],
	["nodiratime", ["nodiratime"], []],
	["noexec", ["noexec"], []],
	["noiversion", [], ["iVersion"]],
	["nolazytime", [], ["lazytime"]],
	["nomand", [], ["mandlock"]],
	["norelatime", [], ["relatime"]],
	["noremount", [], ["remount"]],
	["nostrictatime", [], ["strictatime"]],
	["nosuid", ["nosuid"], []],
	["nosymfollow", ["nosymfollow"], []],
	["private", ["private"], ["shared", "slave", "unbindable"]],
	["rbind", ["bind", "rec"], []],
	["relatime", ["relatime"], []],
	["remount", ["remount"], []],
	["ro", ["rdonly"], []],
	["rprivate", ["private", "rec"], ["shared", "slave", "unbindable"]],
	["rshared", ["shared", "rec"], ["private", "slave", "unbindable"]],
	["rslave", ["slave", "rec"], ["private", "shared", "unbindable"]],
	["runbindable", ["unbindable", "rec"], ["private", "shared", "slave"]],
	["rw", [], ["rdonly"]],
	["shared", ["shared"], ["private", "slave", "unbindable"]],
	["silent", ["silent"], []],
	["slave", ["slave"], ["private", "shared", "unbindable"]],
	["strictatime", ["strictatime"], []],
	["suid", [], ["nosuid"]],
	["symfollow", [], ["nosymfollow"]],
	["sync", ["synchronous"], []],
	["unbindable", ["unbindable"], ["private", "shared", "slave"]],
];

describe("from", () => {
	test("takes names in any iterable, a number and another set", () => {
		expect(MountFlags.from(["rdonly", "nosuid"]).bits).toBe(3);
		expect(MountFlags.from(new Set<MountFlag>(["nosuid", "lazytime"])).bits).toBe(0x200_0002);
		expect(MountFlags.from([]).bits).toBe(0);
		expect(MountFlags.from(2 ** 32 - 1).bits).toBe(2 ** 32 - 1);
		expect(MountFlags.from(MountFlags.from(everything)).bits).toBe(2 ** 32 - 1);
		expect(MountFlags.from(everything)).toBe(everything);
	});

	test.each<[unknown, string]>([
		["ro", "ERR_INVALID_ARG_TYPE"],
		[undefined, "ERR_INVALID_ARG_TYPE"],
		[null, "ERR_INVALID_ARG_TYPE"],
		[{}, "ERR_INVALID_ARG_TYPE"],
		[1n, "ERR_INVALID_ARG_TYPE"],
		[["ro"], "ERR_INVALID_ARG_VALUE"],
		[[1], "ERR_INVALID_ARG_VALUE"],
		[new Array(1), "ERR_INVALID_ARG_VALUE"],
		[[["bind"]], "ERR_INVALID_ARG_VALUE"],
		[["constructor"], "ERR_INVALID_ARG_VALUE"],
		[-1, "ERR_OUT_OF_RANGE"],
		[2 ** 32, "ERR_OUT_OF_RANGE"],
		[0.5, "ERR_OUT_OF_RANGE"],
		[Number.NaN, "ERR_OUT_OF_RANGE"],
	])("refuses %o", (source, code) => {
		expect(codeOf(() => MountFlags.from(source as number))).toBe(code);
	});
});

describe("change", () => {
	test.each(words)("%s", (word, adds, takesAway) => {
		const [added, taken] = [MountFlags.from(adds).bits, MountFlags.from(takesAway).bits];
		expect(MountFlags.parse(word).bits).toBe(added);
		for (const before of [none, everything, ...all.map((name) => MountFlags.from([name]))]) {
			expect(before.change(word).bits).toBe(((before.bits & ~taken) | added) >>> 0);
		}
	});

	test("knows no other words, and says which word it does not know", () => {
		const known = new Set(words.map(([word]) => word));
		const others = [...known].flatMap((word) => [`no${word}`, `r${word}`, word.toUpperCase(), ` ${word}`, `${word}=`]);
		const more = [
			"rec",
			"move",
			"auto",
			"user",
			"_netdev",
			"size=1m",
			"x-y",
			"__proto__",
			"constructor",
			"toString",
			"0x1",
		];
		for (const word of [...others, ...more].filter((word) => !known.has(word))) {
			const refused = refusal(() => MountFlags.parse(`ro,${word}`));
			expect(refused).toMatchObject({ name: "TypeError", code: "ERR_INVALID_ARG_VALUE" });
			expect(refused.message).toContain(word);
		}
	});

	test("goes from left to right, and skips empty words", () => {
		expect(MountFlags.parse(",ro,,rw,ro,nosuid,suid,").toNames()).toEqual(["ro"]);
		expect(MountFlags.parse("").equals(none)).toBe(true);
		expect(MountFlags.parse("rprivate,shared").toNames()).toEqual(["rshared"]);
		expect(MountFlags.parse("shared,slave,defaults").toNames()).toEqual(["slave"]);
	});

	test("keeps bits without a name, and the set itself", () => {
		const before = MountFlags.from(0x8000_0001);
		expect(before.change("rw,nosuid").bits).toBe(0x8000_0002);
		expect(before.bits).toBe(0x8000_0001);
		expect(() => Object.assign(before, { bits: 0 })).toThrow(TypeError);
	});

	test("takes text alone", () => {
		for (const text of [undefined, null, 1, ["ro"]]) {
			expect(codeOf(() => none.change(text as never))).toBe("ERR_INVALID_ARG_TYPE");
			expect(codeOf(() => MountFlags.parse(text as never))).toBe("ERR_INVALID_ARG_TYPE");
		}
	});

	test("shows no password of an option that is no flag", () => {
		expect(refusal(() => MountFlags.parse("ro,password=sesame")).message).not.toContain("sesame");
	});
});

describe("has, equals and the names", () => {
	test("a flag is in the set or not", () => {
		const flags = MountFlags.parse("ro,rbind");
		expect(all.filter((name) => flags.has(name))).toEqual(["rdonly", "bind", "rec"]);
		expect([...flags]).toEqual(["rdonly", "bind", "rec"]);
		expect([...everything]).toEqual(all);
		expect([...none]).toEqual([]);
		expect(codeOf(() => flags.has("ro" as MountFlag))).toBe("ERR_INVALID_ARG_VALUE");
	});

	test("two sets are equal if all bits are", () => {
		expect(MountFlags.from(["bind", "rec"]).equals(MountFlags.parse("rbind"))).toBe(true);
		expect(MountFlags.from(0x8000_0000).equals(none)).toBe(false);
		expect(codeOf(() => none.equals(0 as never))).toBe("ERR_INVALID_ARG_TYPE");
	});
});

describe("text", () => {
	test("the words come by the value of the flag", () => {
		const flags = MountFlags.from(all.filter((name) => !["move", "private", "slave", "shared"].includes(name)));
		expect(flags.toNames()).toEqual(
			"ro nosuid nodev noexec sync remount mand dirsync nosymfollow noatime nodiratime bind silent acl runbindable relatime iversion strictatime lazytime".split(
				" ",
			),
		);
	});

	test.each<[MountFlag[], string]>([
		[[], ""],
		[["rec", "bind"], "rbind"],
		[["bind"], "bind"],
		[["rec", "bind", "unbindable"], "bind,runbindable"],
		[["bind", "shared"], "bind,shared"],
		[["rec", "private", "silent"], "silent,rprivate"],
		[["rec", "slave"], "rslave"],
		[["rec", "shared", "lazytime", "rdonly"], "ro,rshared,lazytime"],
	])("%o is %s", (names, text) => {
		const flags = MountFlags.from(names);
		expect(flags.toText()).toBe(text);
		expect(`${flags}`).toBe(text);
		expect(flags.toNames()).toEqual(text === "" ? [] : text.split(","));
		expect(MountFlags.parse(text).equals(flags)).toBe(true);
	});

	test.each<[MountFlag[] | number, string]>([
		[["move"], "0x2000"],
		[["rec"], "0x4000"],
		[["rec", "rdonly"], "ro,0x4000"],
		[["shared", "private"], "0x140000"],
		[["shared", "private", "rec"], "0x144000"],
		[["shared", "private", "rec", "bind"], "rbind,0x140000"],
		[["move", "nosuid", "lazytime"], "nosuid,lazytime,0x2000"],
		[0x200, "0x200"],
		[0x8000_0001, "ro,0x80000000"],
	])("%o has no word, and is shown as %s", (source, shown) => {
		const flags = MountFlags.from(source);
		expect(codeOf(() => flags.toNames())).toBe("ERR_INVALID_ARG_VALUE");
		expect(codeOf(() => flags.toText())).toBe("ERR_INVALID_ARG_VALUE");
		expect(flags.toString()).toBe(shown);
	});

	test("every set has a text that makes the same set, or is refused, and always a message", () => {
		const random = randomNumbers(0x5eed);
		for (let round = 0; round < 20_000; round++) {
			// Few or many flags, at times with a bit that has no name.
			const names = all.filter(() => random() < (round % 10) / 10);
			const bits = (MountFlags.from(names).bits | (round % 97 === 0 ? 2 ** Math.floor(random() * 32) : 0)) >>> 0;
			const flags = MountFlags.from(bits);
			const kinds = names.filter((name) => ["shared", "private", "slave", "unbindable"].includes(name));
			const unnamed = bits & ~MountFlags.from(all).bits;
			const hasWords =
				kinds.length < 2 &&
				!flags.has("move") &&
				unnamed === 0 &&
				(!flags.has("rec") || flags.has("bind") || kinds.length > 0);
			if (round % 97 === 0 && [...flags].length !== names.length) continue;
			if (hasWords) {
				expect(MountFlags.parse(flags.toText()).bits).toBe(bits);
				expect(flags.toString()).toBe(flags.toText());
			} else {
				expect(() => flags.toText()).toThrow(TypeError);
				expect(flags.toString()).toMatch(/(?:^|,)0x[0-9a-f]+$/);
			}
		}
	});

	test("random words change a set as one word after the other", () => {
		const random = randomNumbers(0xf1a6);
		for (let round = 0; round < 2000; round++) {
			const chosen = words.filter(() => random() < 0.2).sort(() => random() - 0.5);
			const [text, start] = [chosen.map(([word]) => word).join(","), MountFlags.from(Math.floor(random() * 2 ** 32))];
			const expected = chosen.reduce((bits, [, adds, takesAway]) => {
				return ((bits & ~MountFlags.from(takesAway).bits) | MountFlags.from(adds).bits) >>> 0;
			}, start.bits);
			expect(start.change(text).bits).toBe(expected);
		}
	});
});

describe("split", () => {
	const split = (options: MountData, base?: MountFlag[]) => {
		const { flags, data, userspace } = MountFlags.split(options, base);
		return [flags.toText(), data, userspace];
	};

	test.each<[MountData, unknown[]]>([
		["", ["", [], []]],
		["defaults", ["", [], []]],
		["rw,nosuid,size=1m,,noauto", ["nosuid", ["size=1m"], ["noauto"]]],
		["ro,rw,ro,nodev,dev", ["ro", [], []]],
		["size=1m,nr_blocks=7,size=2m", ["", ["nr_blocks=7", "size=2m"], []]],
		["noswap,noswap=1", ["", ["noswap=1"], []]],
		["lowerdir+=/a,x=1,lowerdir+=/b,x=2", ["", ["lowerdir+=/a", "lowerdir+=/b", "x=2"], []]],
		['context="a,ro,b",ro', ["ro", ['context="a,ro,b"'], []]],
		[
			["ro", "", 'context="a,b"'],
			["ro", ['context="a,b"'], []],
		],
		[{ ro: true, nosuid: false, size: "1m", noauto: true, user: "me" }, ["ro", ["size=1m"], ["noauto", "user=me"]]],
		[{ "lowerdir+": ["/a", "/b"], uid: [1, 2] }, ["", ["lowerdir+=/a", "lowerdir+=/b", "uid=2"], []]],
		["user_xattr,errors=remount-ro,journal_dev=0x1", ["", ["user_xattr", "errors=remount-ro", "journal_dev=0x1"], []]],
		["key=", ["", ["key="], []]],
	])("%o", (options, parts) => {
		expect(split(options)).toEqual(parts);
	});

	test("what mount(8) alone knows", () => {
		const known =
			"auto noauto user nouser users nousers owner noowner group nogroup nofail _netdev loop loop= loop=/dev/loop0 user=me comment=a offset=1 sizelimit=2 helper=a uhelper=udisks2 x-systemd.automount x-initrd.mount x-gvfs-name=a%20b X-mount.mkdir=0755 X-a";
		for (const option of known.split(" ")) expect(split(option)).toEqual(["", [], [option]]);
		const unknown =
			"comment offset sizelimit helper uhelper fail netdev xattr Xattr auto=1 nofail=1 noauto= users=me group=a";
		for (const option of unknown.split(" ")) expect(split(option)).toEqual(["", [option], []]);
	});

	test("`user` adds no flags, as mount(8) would", () => {
		expect(split("user,users,owner,group")[0]).toBe("");
	});

	test("every word of `change` is a flag, and refused with a value", () => {
		for (const [word] of words) {
			expect(split(word, ["rdonly", "nosuid"])).toEqual([MountFlags.parse("ro,nosuid").change(word).toText(), [], []]);
			for (const value of ["", "1", "ro"]) {
				expect(codeOf(() => split(`${word}=${value}`))).toBe("ERR_INVALID_ARG_VALUE");
				expect(codeOf(() => split({ [word]: value }))).toBe("ERR_INVALID_ARG_VALUE");
			}
		}
	});

	test("begins with the flags of the second argument", () => {
		expect(split("suid,noexec", ["nosuid", "nodev"])[0]).toBe("nodev,noexec");
		expect(MountFlags.split("ro", MountFlags.from(0x8000_0000)).flags.bits).toBe(0x8000_0001);
		expect(codeOf(() => MountFlags.split("ro", "ro" as never))).toBe("ERR_INVALID_ARG_TYPE");
	});

	test.each<[MountData, string]>([
		["=1", "ERR_INVALID_ARG_VALUE"],
		['a="b,c', "ERR_INVALID_ARG_VALUE"],
		[["a,b"], "ERR_INVALID_ARG_VALUE"],
		[{ a: "b,c" }, "ERR_INVALID_ARG_VALUE"],
		[{ mode: 0o700 }, "ERR_INVALID_ARG_VALUE"],
		["a\0", "ERR_INVALID_ARG_VALUE"],
		[1 as never, "ERR_INVALID_ARG_TYPE"],
	])("refuses %o", (options, code) => {
		expect(codeOf(() => MountFlags.split(options))).toBe(code);
	});

	test("a descriptor becomes its number, in the task whose table has it", async () => {
		await using task = await Task.clone();
		using fd = openat2("/", { flags: ["path"] });
		expect(split({ fd })).toEqual(["", [`fd=${fd.fd}`], []]);
		expect(task.run(() => codeOf(() => MountFlags.split({ fd })))).toBe("ERR_NEARFAR_FD_TABLE_MISMATCH");
	});

	test("many options take no time that grows with their square", () => {
		const options = Array.from({ length: 100_000 }, (_, index) => `key${index % 50_000}=${index}`);
		expect(MountFlags.split(options.join(",")).data).toEqual(options.slice(50_000));
	});

	test("nsjail #70 nosuid and noexec are parted from the options of tmpfs", () => {
		const { flags, data } = MountFlags.split("size=4m,nosuid,mode=700,noexec");
		expect(data).toEqual(["size=4m", "mode=700"]);
		expect(flags.toAttributes()).toEqual({ set: ["nosuid", "noexec"], data: [] });
	});

	test("options keep their order, and the last one of a key keeps its place", () => {
		expect(split("b=1,ro,a=2,nosuid,b=3,rw,c")).toEqual(["nosuid", ["a=2", "b=3", "c"], []]);
	});
});

describe("toAttributes", () => {
	test.each<[string, ReturnType<MountFlags["toAttributes"]>]>([
		["", { set: [], data: [] }],
		[
			"nosuid,nodev,noexec,nosymfollow,nodiratime",
			{ set: ["nosuid", "nodev", "noexec", "nosymfollow", "nodiratime"], data: [] },
		],
		["sync,dirsync,lazytime,mand", { set: [], data: ["sync", "dirsync", "lazytime", "mand"] }],
		["noatime", { set: [], atime: "noatime", data: [] }],
		["relatime", { set: [], atime: "relatime", data: [] }],
		["relatime,noatime", { set: [], atime: "noatime", data: [] }],
		["relatime,noatime,strictatime", { set: [], atime: "strictatime", data: [] }],
	])("%s", (text, attributes) => {
		expect(MountFlags.parse(text).toAttributes()).toStrictEqual(attributes);
	});

	test("util-linux #3158 ro is an attribute of the mount and a parameter of the file system", () => {
		expect(MountFlags.parse("ro").toAttributes()).toStrictEqual({ set: ["rdonly"], data: ["ro"] });
	});

	test("refuses what is no attribute and no parameter", () => {
		const meant =
			"ro nosuid nodev noexec nosymfollow nodiratime noatime relatime strictatime sync dirsync lazytime mand";
		const allowed = meant.split(" ").map((word) => MountFlags.parse(word).bits);
		for (let bit = 0; bit < 32; bit++) {
			const flags = MountFlags.from(2 ** bit).change("ro");
			if (allowed.includes(2 ** bit)) expect(flags.toAttributes().set).toContain("rdonly");
			else expect(codeOf(() => flags.toAttributes())).toBe("ERR_INVALID_ARG_VALUE");
		}
	});
});

test("systemd PR 12852 a flag of statvfs is another flag of mount", () => {
	const stRelatime = 4096;
	expect(MountFlags.from(stRelatime).toText()).toBe("bind");
	expect(MountFlags.parse("relatime").bits).not.toBe(stRelatime);
});

/** Returns a generator of numbers from 0 to 1, the same ones for the same seed (mulberry32). */
function randomNumbers(seed: number): () => number {
	let state = seed;
	return () => {
		state = (state + 0x6d2b79f5) | 0;
		let mixed = Math.imul(state ^ (state >>> 15), state | 1);
		mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
		return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
	};
}
