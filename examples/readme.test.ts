// Checks that the documents are true. The first line of a code block says how the block is checked:
//   ```ts            a program, which is type-checked and run, in a Node of its own if it changes every thread of Node
//   ```<kind> <file> a part of that file, word for word
//   ```sh            commands whose npm scripts exist; .ci/run runs them
//   ```text          a picture
//   ```json          a value that can be parsed
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";
import { afterAll, describe, expect, test } from "vitest";
import { has, skipUnless } from "../test/needs.ts";
import { typeErrors } from "../test/type-errors.ts";

interface Block {
	readonly document: string;
	readonly line: number;
	readonly kind: string;
	readonly file: string | undefined;
	readonly text: string;
}

const root = fileURLToPath(new URL("..", import.meta.url));
const read = (path: string) => readFileSync(join(root, path), "utf8");
const markdown = (folder: string) => readdirSync(join(root, folder)).filter((name) => name.endsWith(".md"));

const readmes = ["README.md", ...readdirSync(join(root, "packages")).map((name) => `packages/${name}/README.md`)];
const pages = ["docs", "docs/decisions"].flatMap((folder) => markdown(folder).map((name) => `${folder}/${name}`));
const documents = [...readmes, "CONTRIBUTING.md", ...pages];
const blocks = documents.flatMap(blocksOf);
const programs = blocks.filter(({ kind, file }) => kind === "ts" && !file);
const parts = blocks.filter(({ file }) => file);
const commands = blocks.filter(({ kind, file }) => kind === "sh" && !file);

// The tree may belong to another user, so the programs are written elsewhere and find the packages by name.
const folder = mkdtempSync(join(tmpdir(), "nearfar-readme-"));
symlinkSync(join(root, "node_modules"), join(folder, "node_modules"));
writeFileSync(join(folder, "package.json"), JSON.stringify({ type: "module" }));
const files = programs.map(({ text }, index) => {
	const file = join(folder, `block-${index}.ts`);
	// Each block becomes a module, so that top-level `await` is allowed.
	writeFileSync(file, `${text}export {};\n`);
	return file;
});
afterAll(() => rmSync(folder, { recursive: true }));

function blocksOf(document: string): Block[] {
	const text = read(document);
	return [...text.matchAll(/^(`{3,})(\w*)(?: (\S+))?\n(.*?)^\1$/gms)].map((found) => ({
		document,
		line: text.slice(0, found.index).split("\n").length,
		kind: found[2] ?? "",
		file: found[3],
		text: found[4] ?? "",
	}));
}

function nameOf({ document, line }: Block): string {
	return `${document}:${line}`;
}

test("every code block is of a kind that is looked at, and every README has one that runs", () => {
	const known = blocks.filter((block) => block.file || ["ts", "sh", "text", "json", "yaml"].includes(block.kind));
	expect(blocks.filter((block) => !known.includes(block)).map(nameOf)).toEqual([]);
	const running = new Set(programs.map(({ document }) => document));
	expect(readmes.filter((readme) => !running.has(readme))).toEqual([]);
});

describe("programs run", () => {
	test.each(programs.map((block, index) => [nameOf(block), files[index] as string, block.text]))(
		"%s",
		async (_, file, text) => {
			if (text.includes('isolation: "landlock"')) skipUnless(has("ABI 3 of Landlock"), "ABI 3 of Landlock");
			if (changesNode(text)) expect(runAlone(file, text)).toEqual({ status: 0, stderr: "" });
			else await import(/* @vite-ignore */ file);
		},
	);
});

/** Returns true for a program that changes every thread of the Node that runs it. */
function changesNode(text: string): boolean {
	return text.includes("process: true");
}

/** Runs a program in a Node of its own, as plain JavaScript. */
function runAlone(file: string, text: string): { status: number | null; stderr: string } {
	const compilerOptions = { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext };
	const program = file.replace(/\.ts$/, ".mjs");
	writeFileSync(program, ts.transpileModule(text, { compilerOptions }).outputText);
	const { status, stderr } = spawnSync(process.execPath, [program], { encoding: "utf8" });
	return { status, stderr };
}

test("programs have no type errors", () => {
	expect(typeErrors(files, programs.map(nameOf))).toEqual([]);
});

describe("parts of files are theirs", () => {
	test.each(parts.map((block) => [nameOf(block), block.file as string, block.text]))("%s: %s", (_, file, text) => {
		expect(read(file)).toContain(text);
	});
});

test("commands name scripts that exist", () => {
	const { scripts } = JSON.parse(read("package.json"));
	for (const block of commands) {
		for (const [, name] of block.text.matchAll(/\bnpm (?:run )?(?:--silent )?([\w:]+)/g)) {
			if (name !== "install") expect(scripts, nameOf(block)).toHaveProperty([name as string]);
		}
		for (const [file] of block.text.matchAll(/\b(?:scripts|\.ci|crates|packages)\/[\w./-]+/g)) {
			expect(existsSync(join(root, file)), `${nameOf(block)} ${file}`).toBe(true);
		}
	}
});

test("a block of JSON can be parsed", () => {
	for (const { kind, file, text } of blocks) if (kind === "json" && !file) JSON.parse(text);
});

test("a block of YAML names every platform that has a package with the addon", () => {
	const packages = join(root, "packages/core/npm");
	const manifests = readdirSync(packages).map((name) =>
		JSON.parse(readFileSync(join(packages, name, "package.json"), "utf8")),
	);
	for (const { text } of blocks.filter(({ kind, file }) => kind === "yaml" && !file)) {
		for (const key of ["os", "cpu", "libc"]) {
			const [, values = ""] = new RegExp(`^  ${key}: \\[(.*)\\]$`, "m").exec(text) ?? [];
			expect(new Set(values.split(", "))).toEqual(new Set(manifests.flatMap((manifest) => manifest[key])));
		}
	}
});

test("links lead somewhere, and files that are named exist", () => {
	const broken = documents.flatMap((document) => {
		const text = read(document);
		const links = [...text.matchAll(/\]\((?!https?:)([^)#]+)(?:#[^)]*)?\)/g)].map((found) =>
			join(dirname(document), found[1] ?? ""),
		);
		const named = [...text.matchAll(/`((?:\.ci|bench|crates|docs|examples|packages|scripts)\/[\w./-]+)`/g)];
		const paths = [...links, ...named.map((found) => found[1] ?? "")];
		return paths.filter((path) => !existsSync(join(root, path))).map((path) => `${document}: ${path}`);
	});
	expect(broken).toEqual([]);
});

test("files that are named without their folder exist", () => {
	const folders = ["bench", "crates", "examples", "packages", "scripts", "test"];
	const names = folders.flatMap((folder) => readdirSync(join(root, folder), { recursive: true, encoding: "utf8" }));
	const existing = new Set(names.map((name) => name.split("/").at(-1)));
	const missing = [...pages, "CONTRIBUTING.md"].flatMap((document) =>
		[...read(document).matchAll(/`([\w-]+\.(?:rs|ts|mjs))`/g)]
			.map((found) => found[1] ?? "")
			.filter((name) => !existing.has(name))
			.map((name) => `${document}: ${name}`),
	);
	expect(missing).toEqual([]);
});
