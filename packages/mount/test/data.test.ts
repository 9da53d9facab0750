import { type FileDescriptor, openat2, pipe, Task } from "@nearfar/core";
import type { MountData } from "@nearfar/mount";
import { describe, expect, test } from "vitest";
import { refusal } from "../../../test/refusal.ts";
import { dataParts, dataText } from "../src/data.ts";

const codeOf = (fn: () => unknown) => refusal(fn).code;

describe("the text for mount(2)", () => {
	test.each<[MountData, string]>([
		["", ""],
		["size=1m,mode=700", "size=1m,mode=700"],
		[',, size="a,b" \\,"', ',, size="a,b" \\,"'],
		[[], ""],
		[["size=1m", "mode=700"], "size=1m,mode=700"],
		[["noswap", "", "size=1m"], "noswap,size=1m"],
		[["lowerdir=/a:/b", "key="], "lowerdir=/a:/b,key="],
		[['context="a,b"', 'name="'], 'context="a,b",name="'],
		[{}, ""],
		[{ size: "1m", nr_inodes: 7, noswap: true }, "size=1m,nr_inodes=7,noswap"],
		[{ size: 2n ** 60n, max: -1, source: "" }, "size=1152921504606846976,max=-1,source="],
		[{ noswap: false, size: undefined, gid: 0 }, "gid=0"],
		[{ "lowerdir+": ["/a", "/b"], word: [true, false, undefined, true] }, "lowerdir+=/a,lowerdir+=/b,word,word"],
		[{ context: '"a,b"', umask: "077" }, 'context="a,b",umask=077'],
		[{ name: "a=b" }, "name=a=b"],
		[Object.assign(Object.create(null), { size: "1m" }), "size=1m"],
	])("%o", (data, text) => {
		expect(dataText(data, "data")).toBe(text);
	});

	test("a descriptor is written as its number", () => {
		using fd = openat2("/", { flags: ["path"] });
		expect(dataText({ fd, rootmode: "40000", user_id: 0 }, "data")).toBe(`fd=${fd.fd},rootmode=40000,user_id=0`);
	});

	test("a descriptor of another table is refused", async () => {
		await using task = await Task.clone();
		using fd = openat2("/", { flags: ["path"] });
		expect(task.run(() => codeOf(() => dataText({ fd }, "data")))).toBe("ERR_NEARFAR_FD_TABLE_MISMATCH");
	});

	test("a closed descriptor is refused", () => {
		const fd = openat2("/", { flags: ["path"] });
		fd.close();
		expect(codeOf(() => dataText({ fd }, "data"))).toBe("ERR_NEARFAR_CLOSED");
	});

	test("a descriptor that a batch has still to make is refused in that batch and outside", async () => {
		await using task = await Task.clone();
		let made: FileDescriptor | undefined;
		const batch = task.batch(() => {
			[made] = pipe();
			expect(codeOf(() => dataText({ fd: made }, "data"))).toBe("ERR_NEARFAR_BATCH");
		});
		expect(task.run(() => codeOf(() => dataText({ fd: made }, "data")))).toBe("ERR_NEARFAR_BATCH");
		await batch;
		expect(task.run(() => dataText({ fd: made }, "data"))).toBe(`fd=${made?.fd}`);
	});

	test("text may have 4095 bytes, not 4096", () => {
		for (const [text, list] of [
			["a".repeat(4095), ["b".repeat(2000), "a".repeat(2094)]],
			[`a${"é".repeat(2047)}`, ["é".repeat(1000), `a${"é".repeat(1046)}a`]],
		] as const) {
			expect(dataText(text, "data")).toBe(text);
			expect(dataText(list, "data")).toBe(list.join(","));
			expect(codeOf(() => dataText(`${text}a`, "data"))).toBe("ERR_OUT_OF_RANGE");
			expect(codeOf(() => dataText([...list, "a"], "data"))).toBe("ERR_OUT_OF_RANGE");
		}
		expect(codeOf(() => dataText({ a: "a".repeat(4094) }, "data"))).toBe("ERR_OUT_OF_RANGE");
	});

	test("a comma outside double quotes is refused in a list and in an object", () => {
		for (const option of ["a,b", "a=b,", ",", 'a="b"c,"d"', 'a="b,c', 'a="b","c"', "a=b\\,c"]) {
			expect(codeOf(() => dataText([option], "data"))).toBe("ERR_INVALID_ARG_VALUE");
			expect(codeOf(() => dataText({ key: option }, "data"))).toBe("ERR_INVALID_ARG_VALUE");
			expect(codeOf(() => dataText({ key: ["fine", option] }, "data"))).toBe("ERR_INVALID_ARG_VALUE");
		}
	});
});

describe("the parts for fsconfig(2)", () => {
	test.each<[MountData, [string, string | undefined][]]>([
		["", []],
		[",,", []],
		[
			"size=1m,,noswap,key=,a=b=c,",
			[
				["size", "1m"],
				["noswap", undefined],
				["key", ""],
				["a", "b=c"],
			],
		],
		[
			'context="a,b",x"y,z"=1,name=a"b',
			[
				["context", "a,b"],
				['x"y,z"', "1"],
				["name", 'a"b'],
			],
		],
		[
			["size=1m", "", 'context="a,b"'],
			[
				["size", "1m"],
				["context", "a,b"],
			],
		],
		[
			{ source: '"a,b"', "lowerdir+": ["/a,1", "/b"], noswap: true, size: false, n: 1n },
			[
				["source", '"a,b"'],
				["lowerdir+", "/a,1"],
				["lowerdir+", "/b"],
				["noswap", undefined],
				["n", "1"],
			],
		],
	])("%o", (data, parts) => {
		expect(dataParts(data, "data").map(({ key, value }) => [key, value])).toEqual(parts);
	});

	test("a descriptor stays one, also if a batch has still to make it", async () => {
		await using task = await Task.clone();
		await task.batch(() => {
			const [fd] = pipe();
			expect(dataParts({ fd, "lower+": [fd] }, "data")).toEqual([
				{ key: "fd", value: fd },
				{ key: "lower+", value: fd },
			]);
		});
	});
});

describe("refused by both", () => {
	test.each<[string, unknown, string]>([
		["a number", 1, "ERR_INVALID_ARG_TYPE"],
		["null", null, "ERR_INVALID_ARG_TYPE"],
		["bytes", Buffer.from("size=1m"), "ERR_INVALID_ARG_TYPE"],
		["a map", new Map([["size", "1m"]]), "ERR_INVALID_ARG_TYPE"],
		["an object that is no plain one", new URL("file:///"), "ERR_INVALID_ARG_TYPE"],
		["an object that inherits options", Object.create({ size: "1m" }), "ERR_INVALID_ARG_TYPE"],
		["a list of numbers", [1], "ERR_INVALID_ARG_TYPE"],
		["a list with a hole", new Array(1), "ERR_INVALID_ARG_TYPE"],
		["a NUL byte", "a\0", "ERR_INVALID_ARG_VALUE"],
		["a NUL byte in a list", ["a\0"], "ERR_INVALID_ARG_VALUE"],
		["a NUL byte in a value", { a: "\0" }, "ERR_INVALID_ARG_VALUE"],
		["a NUL byte in a key", { "a\0": "" }, "ERR_INVALID_ARG_VALUE"],
		["a comma in a key", { "a,b": true }, "ERR_INVALID_ARG_VALUE"],
		["a comma in an element", ["a,b"], "ERR_INVALID_ARG_VALUE"],
		["an equals sign in a key", { "a=b": true }, "ERR_INVALID_ARG_VALUE"],
		["an empty key", { "": "a" }, "ERR_INVALID_ARG_VALUE"],
		["an element without a name", ["=a"], "ERR_INVALID_ARG_VALUE"],
		["a value that is null", { a: null }, "ERR_INVALID_ARG_TYPE"],
		["a value that is bytes", { a: Buffer.from("a") }, "ERR_INVALID_ARG_TYPE"],
		["a value that is an object", { a: {} }, "ERR_INVALID_ARG_TYPE"],
		["a list in a list", { a: [["b"]] }, "ERR_INVALID_ARG_TYPE"],
		["half a number", { a: 0.5 }, "ERR_OUT_OF_RANGE"],
		["no number", { a: Number.NaN }, "ERR_OUT_OF_RANGE"],
		["a number that would be written with an exponent", { a: 1e21 }, "ERR_OUT_OF_RANGE"],
		["a mode as a number", { mode: 0o700 }, "ERR_INVALID_ARG_VALUE"],
		["a mode as a bigint", { ptmxmode: 0o666n }, "ERR_INVALID_ARG_VALUE"],
		["a mask as a number", { umask: 0o77 }, "ERR_INVALID_ARG_VALUE"],
		["a mask as a number in a list", { dmask: [0o77] }, "ERR_INVALID_ARG_VALUE"],
	])("%s", (_, data, code) => {
		expect(codeOf(() => dataText(data as MountData, "data"))).toBe(code);
		expect(codeOf(() => dataParts(data as MountData, "data"))).toBe(code);
	});

	test("text that cannot be cut: no name before the =, a quote that is not closed before a comma", () => {
		for (const data of ["=a", "a,=b", 'a="b,c', 'a="b"",c']) {
			expect(codeOf(() => dataParts(data, "data"))).toBe("ERR_INVALID_ARG_VALUE");
			expect(dataText(data, "data")).toBe(data);
		}
	});

	test("no error shows a password", () => {
		const texts: MountData[] = [
			["password=sesame,1"],
			{ password: "sesame,1" },
			{ password: "sesame\0" },
			["password=sesame\0"],
			"password=sesame\0",
			`password=sesame${"e".repeat(4096)}`,
			[`password=sesame${"e".repeat(4096)}`],
		];
		for (const data of texts) expect(refusal(() => dataText(data, "data")).message).not.toContain("sesame");
	});
});
