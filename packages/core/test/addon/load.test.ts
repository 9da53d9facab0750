import { execFileSync } from "node:child_process";
import { chmodSync, existsSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { fixturePath, runFixture } from "../../../../test/fixture.ts";
import { isRoot, needs } from "../../../../test/needs.ts";
import { readElf } from "../../src/addon/elf.ts";
import { here, otherCpu, otherLibc, Tree } from "./tree.ts";
import { writeElf } from "./write-elf.ts";

const addon = `nearfar.${here}.node`;
const cpu = process.arch;
const libc = here.endsWith("gnu") ? "glibc" : "musl";
const forThis = `npm install --os=linux --cpu=${cpu} --libc=${libc}`;
const packageName = `@nearfar/core-${here}`;

/** Returns "works", or the error of the first call in a tree. */
async function firstCall(tree: Tree, options: { node?: string[]; wrapper?: string[]; act?: string } = {}) {
	const { act, ...rest } = options;
	const { report, stderr } = await runFixture("core/tree", { args: [tree.path, ...(act ? [act] : [])], ...rest });
	return report ?? stderr;
}

test("the package for this platform works, beside those for others", async () => {
	using tree = new Tree();
	tree.install(here);
	for (const platform of [otherLibc, otherCpu]) writeFileSync(join(tree.install(platform), "nearfar-stub"), "");
	expect(await firstCall(tree, { act: "task" })).toBe("works");
});

describe("ERR_NEARFAR_NOT_INSTALLED", () => {
	const code = "ERR_NEARFAR_NOT_INSTALLED";

	test("no package: the command installs the optional dependencies", async () => {
		using tree = new Tree();
		const error = await firstCall(tree);
		expect(error).toMatchObject({ name: "LoadError", typed: true, code, packageName, installed: [] });
		expect(error.fix).toEqual(["npm install --include=optional", forThis, expect.stringContaining("npm/cli#4828")]);
	});

	test.each([
		["the other C library", otherLibc],
		["the other CPU", otherCpu],
	])("the package for %s: the command names this platform", async (_, platform) => {
		using tree = new Tree();
		tree.install(platform);
		const error = await firstCall(tree);
		expect(error).toMatchObject({ name: "LoadError", code, packageName, installed: [`@nearfar/core-${platform}`] });
		expect(error.fix[0]).toBe(forThis);
		expect(error.message).toContain(`runs on ${cpu} with ${libc}`);
	});
});

describe("ERR_NEARFAR_DAMAGED", () => {
	const damaged = { name: "LoadError", code: "ERR_NEARFAR_DAMAGED", packageName };
	const damages: [string, (file: string) => void][] = [
		["an addon that is missing", (file) => rmSync(file)],
		["an addon that is empty", (file) => truncateSync(file)],
		["an addon that was cut off", (file) => truncateSync(file, 100_000)],
		["an addon of which the last part is missing", (file) => truncateSync(file, endOfSegments(file) - 1)],
		["an addon for another CPU", (file) => writeElf(file, { machine: 243 })],
		["an addon of 32 bits", (file) => writeElf(file, { elfClass: 1 })],
		["a text in the place of the addon", (file) => writeFileSync(file, "version https://git-lfs.github.com/spec/v1\n")],
	];

	test.each(damages)("%s", async (_, damage) => {
		using tree = new Tree();
		const folder = tree.install(here);
		damage(join(folder, addon));
		const error = await firstCall(tree);
		expect(error).toMatchObject({ ...damaged, path: join(folder, addon) });
		expect(error.fix[0]).toBe(`rm -rf ${folder} && npm install`);
	});

	test("the command removes the folder of the package, whatever letters the path has", async () => {
		using tree = new Tree("1.2.3", "it's $HOME; a tree *-");
		const folder = tree.install(here);
		truncateSync(join(folder, addon));
		const { fix } = await firstCall(tree);
		execFileSync("sh", ["-euc", fix[0].replace("npm install", "true")], { cwd: tree.path });
		expect(existsSync(folder)).toBe(false);
	});

	test.each([
		["that is empty", ""],
		["that was cut off", '{"name":"@nearfar/core-'],
		["that is no object", "null"],
	])("a package.json %s", async (_, text) => {
		using tree = new Tree();
		const folder = tree.install(here);
		writeFileSync(join(folder, "package.json"), text);
		const error = await firstCall(tree);
		expect(error).toMatchObject(damaged);
		expect(error.fix.join()).toContain("install");
	});

	test("a package.json of the package for another platform is no hindrance to say that this one is missing", async () => {
		using tree = new Tree();
		writeFileSync(join(tree.install(otherLibc), "package.json"), "");
		expect(await firstCall(tree)).toMatchObject({
			code: "ERR_NEARFAR_NOT_INSTALLED",
			installed: [`@nearfar/core-${otherLibc}`],
		});
	});
});

// As after `umask 077` at the installation, which another user has done.
needs(...(isRoot ? (["the program setpriv"] as const) : [])).describe("a user who may not read", () => {
	const wrapper = isRoot ? ["setpriv", "--bounding-set=-dac_override,-dac_read_search"] : [];
	test.each([
		["the folder of the package", ""],
		["the manifest", "package.json"],
		["the addon", addon],
	])("%s: the fix names the folder and this user", async (_, name) => {
		using tree = new Tree();
		const folder = tree.install(here);
		chmodSync(join(folder, name), 0);
		const error = await firstCall(tree, { wrapper });
		chmodSync(join(folder, name), 0o755);
		const path = name ? join(folder, name) : folder;
		expect(error).toMatchObject({ name: "LoadError", code: "ERR_NEARFAR_PERMISSION", packageName, path });
		expect(error.fix[0]).toContain(`chmod -R a+rX ${folder}`);
	});
});

/** Returns where the last part of the file that is loaded ends. */
function endOfSegments(file: string): number {
	const bytes = readFileSync(file);
	const table = Number(bytes.readBigUInt64LE(32));
	const ends = Array.from({ length: bytes.readUInt16LE(56) }, (_, i) => table + 56 * i)
		.filter((at) => bytes.readUInt32LE(at) === 1)
		.map((at) => Number(bytes.readBigUInt64LE(at + 8) + bytes.readBigUInt64LE(at + 32)));
	return Math.max(...ends);
}

describe("ERR_NEARFAR_WRONG_LIBC", () => {
	needs("glibc").test("a glibc that is too old: the message has the version found and the one needed", async () => {
		using tree = new Tree();
		const file = join(tree.install(here), addon);
		writeFileSync(file, needing("GLIBC_2.99", readFileSync(file)));
		const error = await firstCall(tree);
		expect(error).toMatchObject({ name: "LoadError", code: "ERR_NEARFAR_WRONG_LIBC", packageName, path: file });
		const report = process.report.getReport() as unknown as { header: { glibcVersionRuntime: string } };
		expect(error.message).toContain(
			`needs glibc 2.28 or later, and this process runs on glibc ${report.header.glibcVersionRuntime}`,
		);
	});

	needs("glibc").test("an addon for musl in the package for glibc: the command installs the right one", async () => {
		using tree = new Tree();
		const folder = tree.install(here);
		const file = join(folder, addon);
		writeFileSync(file, readFileSync(file, "latin1").replace("\0libc.so.6\0", "\0libc.so\0\0\0"), "latin1");
		const error = await firstCall(tree);
		expect(error).toMatchObject({ name: "LoadError", code: "ERR_NEARFAR_WRONG_LIBC", packageName, path: file });
		expect(error.fix[0]).toBe(`rm -rf ${folder} && ${forThis}`);
	});
});

/** Returns an addon that needs another version of glibc than it does. The dynamic loader compares the hash and the name. */
function needing(version: string, bytes: Buffer): Buffer {
	const [old = ""] = bytes.toString("latin1").match(/GLIBC_2\.\d\d(?=\0)/) ?? [];
	const hash = (name: string) => {
		const value = Buffer.alloc(4);
		let all = 0;
		for (const letter of Buffer.from(name)) {
			all = (all << 4) + letter;
			all = (all ^ ((all & 0xf000_0000) >>> 24)) & 0x0fff_ffff;
		}
		value.writeUInt32LE(all);
		return value.toString("latin1");
	};
	const text = bytes.toString("latin1").replaceAll(hash(old), hash(version)).replaceAll(`${old}\0`, `${version}\0`);
	return Buffer.from(text, "latin1");
}

test("ERR_NEARFAR_VERSION_MISMATCH names both versions and the command", async () => {
	using tree = new Tree("1.2.4");
	const folder = tree.install(here, { version: "1.2.3" });
	const error = await firstCall(tree);
	const path = join(folder, "package.json");
	expect(error).toMatchObject({ name: "LoadError", code: "ERR_NEARFAR_VERSION_MISMATCH", packageName, path });
	expect(error.message).toMatch(/@nearfar\/core is 1\.2\.4, and .* is 1\.2\.3,/);
	expect(error.fix[0]).toBe("npm install @nearfar/core@1.2.4");
});

describe("the permission model", () => {
	const model = process.allowedNodeEnvironmentFlags.has("--permission") ? "--permission" : "--experimental-permission";
	const refused = { name: "LoadError", code: "ERR_NEARFAR_PERMISSION" };
	// Where the suite runs with another /proc, Node imports test/own-proc.mjs.
	const ownProc = fileURLToPath(new URL("../../../../test/own-proc.mjs", import.meta.url));
	const fixtures = [fixturePath("core/tree"), ownProc].map((path) => `--allow-fs-read=${path}`);
	const readTree = (tree: Tree) => [model, "--allow-addons", ...fixtures, `--allow-fs-read=${tree.path}/*`];

	test("a Node that may read the tree and not itself", async () => {
		using tree = new Tree();
		tree.install(here);
		expect(await firstCall(tree, { node: readTree(tree) })).toBe("works");
	});

	test("a Node that may read the tree, in which the package is missing", async () => {
		using tree = new Tree();
		const error = await firstCall(tree, { node: readTree(tree) });
		expect(error).toMatchObject({ ...refused, packageName });
		expect(error.fix.join()).toContain("--allow-fs-read");
	});

	test.each([
		["--permission without --allow-addons", [model, "--allow-fs-read=*"]],
		["--no-addons", ["--no-addons"]],
	])("%s: the fix names --allow-addons", async (_, node) => {
		using tree = new Tree();
		tree.install(here);
		const error = await firstCall(tree, { node });
		expect(error).toMatchObject(refused);
		expect(error.fix.join()).toContain("--allow-addons");
	});
});

describe("which Node runs", () => {
	// Without /proc, process.execPath is the word with which Node was started.
	needs("/proc").test("a Node that the dynamic loader has started by hand", async () => {
		using tree = new Tree();
		tree.install(here);
		const loader = readElf(process.execPath)?.interpreter;
		expect(await firstCall(tree, { wrapper: [loader as string] })).toBe("works");
	});

	test("a program that has changed process.execPath to a folder", async () => {
		using tree = new Tree();
		tree.install(here);
		expect(await firstCall(tree, { act: "execPath" })).toBe("works");
	});
});
