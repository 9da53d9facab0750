import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { needs } from "../test/needs.ts";
import { temporaryFolder } from "./ending.mjs";
import { root } from "./run.mjs";
import { compileTree } from "./vm/compile.mjs";
import { cpio } from "./vm/cpio.mjs";
import { execute, makeFolder } from "./vm/debian.mjs";
import { bootAgainAfterPanic } from "./vm/panic.mjs";
import { rows } from "./vm/rows.mjs";
import { resultOf, scriptOf } from "./vm/script.mjs";

test.for([
	[[], "usage"],
	[["6.1", "x64"], "usage"],
	[["4.19", "x64", "true"], "no kernel 4.19"],
	[["6.1", "riscv64", "true"], "no architecture riscv64"],
	[["6.1", "x64", "true", "--seconds", "soon"], "positive number"],
	[["6.1", "x64", "true", "--seconds", "2147484"], "at most 2147483"],
])("vm.mjs %j fails before it fetches anything", ([args, words]) => {
	const { status, stderr } = spawnSync(process.execPath, [join(root, "scripts/vm.mjs"), ...args], { encoding: "utf8" });
	expect(status).not.toBe(0);
	expect(stderr).toContain(words);
});

test("an archive of cpio pads names and contents to four bytes", () => {
	const archive = cpio([{ name: "a", data: "12345" }, { name: "dev" }]);
	expect(archive.length % 4).toBe(0);
	expect(archive.toString("latin1").match(/070701/g)).toHaveLength(3);
});

test("the error of a program that says a lot has its last lines", () => {
	const say = () => execute("sh", ["-c", "seq 100000 >&2; exit 3"]);
	expect(say).toThrow(/failed \(3\): 99991\n(.*\n)*100000$/);
});

test("a folder that another script has made in the meantime is taken", () => {
	const parent = temporaryFolder("nearfar-folder-");
	const folder = join(parent, "made");
	const make = (partial) => {
		fs.writeFileSync(join(partial, "own"), "");
		fs.cpSync(partial, folder, { recursive: true });
	};
	expect(makeFolder(folder, make)).toBe(folder);
	expect(fs.readdirSync(parent)).toEqual(["made"]);
});

needs("root").test(
	"an archive that cannot be reached makes a check impossible, and is named",
	() => {
		const script = `
		import { UnavailableError, unpack } from "${root}scripts/vm/debian.mjs";
		try {
			unpack("hello", { release: "bookworm", arch: "x64", packages: ["hello"], parent: process.argv[1] });
		} catch (error) {
			console.log(error instanceof UnavailableError, error.message);
		}`;
		const parent = temporaryFolder("nearfar-unreachable-");
		const env = { ...process.env, http_proxy: "http://127.0.0.1:9" }; // a port of loopback on which nothing listens
		const args = ["--input-type=module", "-e", script, parent];
		const { stdout } = spawnSync(process.execPath, args, { env, encoding: "utf8" });
		expect(stdout).toMatch(/^true .*(Failed to fetch|is missing)/);
		expect(fs.readdirSync(parent)).toEqual([]);
	},
	60_000,
);

const row = rows.find(({ name }) => name.startsWith("6.1 x64 gnu, Node"));

test("the script of a row runs it as each user", () => {
	const script = scriptOf([row]);
	expect(script.match(/@begin/g)).toHaveLength(row.uids.length);
	expect(script).toContain("setpriv --reuid 1000");
});

test("the script of a row of files runs them with a cgroup for the user, and goes on after one that failed", () => {
	const script = scriptOf([rows.find(({ files, uids }) => files && uids.includes(1000))]);
	expect(script.match(/as-user node/g)).toHaveLength(1);
	expect(spawnSync("bash", ["-n", "-c", script]).status).toBe(0);
});

test("compiled test files run without a server, and each test has its line", () => {
	const tree = temporaryFolder("nearfar-compiled-");
	for (const name of ["scripts", "test"]) fs.cpSync(join(root, name), join(tree, name), { recursive: true });
	for (const name of ["node_modules", "package.json"]) fs.symlinkSync(join(root, name), join(tree, name));
	fs.mkdirSync(join(tree, "packages/one/test"), { recursive: true });
	fs.writeFileSync(join(tree, "packages/one/package.json"), '{ "type": "module" }');
	const lines = `
		import { expect, test, describe } from "vitest";
		import { skipUnless } from "../../../test/needs.ts";
		describe("a group", () => test("adds", () => expect({ a: 1 } as object).toEqual({ a: 2 })));
		test.each([1, 2])("takes %s", () => {});
		test("asks", () => skipUnless(false, "a moon"));
		test.skip("rests", () => {});
	`;
	fs.writeFileSync(join(tree, "packages/one/test/one.test.ts"), lines);
	fs.writeFileSync(join(tree, "packages/one/test/two.test.ts"), 'throw new Error("no tests");');
	compileTree(tree);
	const files = ["one", "two"].map((name) => `packages/one/test/${name}.test.js`);
	const { status, stdout } = spawnSync(process.execPath, ["scripts/vm/run-tests.mjs", ...files], {
		cwd: tree,
		encoding: "utf8",
	});
	const told = stdout.split("\n").filter((line) => /^\w+: /.test(line));
	expect(told.map((line) => line.replaceAll(/packages\/one\/test\//g, ""))).toEqual([
		expect.stringMatching(/^failed: one.test.js a group adds: expected/),
		"passed: one.test.js takes 1",
		"passed: one.test.js takes 2",
		"skipped: one.test.js asks: needs a moon",
		"skipped: one.test.js rests",
		expect.stringMatching(/^failed: two.test.js: no tests/),
	]);
	expect(status).toBe(1);
}, 60_000);

test("a machine whose kernel panics is booted once more, and another one is not", async () => {
	const panic = { reason: "the kernel has panicked", panicked: true, console: "Kernel panic - not syncing" };
	const late = { reason: "the command did not end", late: true, console: "random: crng init done" };
	const boots = async (...ends) => {
		const left = [...ends];
		const end = await bootAgainAfterPanic("a test of what is printed here", async () => left.shift());
		return [end, left.length];
	};
	expect(await boots(panic, { code: 0 })).toEqual([{ code: 0 }, 0]);
	expect(await boots(panic, panic, { code: 0 })).toEqual([panic, 1]);
	expect(await boots(late, { code: 0 })).toEqual([late, 1]);
	expect(await boots({ code: 1 }, { code: 0 })).toEqual([{ code: 1 }, 1]);
});

test("a row whose machine ended before it began has failed", () => {
	expect(resultOf("", row, 0)).toMatchObject({ passed: 0, failed: 1 });
});

test("a row whose machine ended half-way has failed", () => {
	const output = `@begin ${row.name} as 0\npassed: one\n`;
	expect(resultOf(output, row, 0)).toMatchObject({ passed: 1, failed: 1 });
});

test("a row that ended well counts its cases", () => {
	const output = `@begin ${row.name} as 0\npassed: one\nskipped: two: why\n@end 0 1500 ${row.name} as 0\n`;
	expect(resultOf(output, row, 0)).toMatchObject({ passed: 1, failed: 0, skipped: 1, milliseconds: 1500 });
});
