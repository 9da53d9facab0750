// Runs every `@example` of a doc comment as a module of its own. The test imports what an example uses of these packages. An
// example that says `// as root` is skipped for other users, and one that says `// with a cgroup of its own` where there is none.
import { mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { needs } from "../test/needs.ts";
import { typeErrors } from "../test/type-errors.ts";

interface Example {
	readonly home: string;
	readonly place: string;
	readonly code: string;
}

const root = fileURLToPath(new URL("..", import.meta.url));
const packages = readdirSync(join(root, "packages")).filter((name) => name !== "nearfar"); // a command, without public names
const sources = packages.flatMap((home) =>
	readdirSync(join(root, "packages", home, "src"), { recursive: true, encoding: "utf8" })
		.filter((file) => file.endsWith(".ts"))
		.sort()
		.map((file) => ({ home, file: `packages/${home}/src/${file}` })),
);
const examples = sources.flatMap(({ home, file }) => examplesOf(home, file));
/** For each package its public names; a name of a type alone is `type Name`. */
const exported = new Map<string, readonly string[]>();
const folder = mkdtempSync(join(tmpdir(), "nearfar-examples-"));
const files = examples.map((_, index) => join(folder, `example-${index}.ts`));

beforeAll(() => {
	symlinkSync(join(root, "node_modules"), join(folder, "node_modules"));
	writeFileSync(join(folder, "package.json"), JSON.stringify({ type: "module" }));
	for (const name of packages)
		exported.set(name, publicNames(readFileSync(join(root, "packages", name, "api.txt"), "utf8")));
	for (const [index, example] of examples.entries()) {
		writeFileSync(files[index] as string, `${importsFor(example)}${example.code}export {};\n`);
	}
	vi.spyOn(console, "log").mockReturnValue();
});
afterAll(() => {
	vi.restoreAllMocks();
	rmSync(folder, { recursive: true });
});

function examplesOf(home: string, file: string): Example[] {
	const text = readFileSync(join(root, file), "utf8");
	return [...text.matchAll(/^[\t ]*\* @example.*\n[\t ]*\* ```ts\n([\s\S]*?)^[\t ]*\* ```$/gm)].map((found) => ({
		home,
		place: `${file}:${text.slice(0, found.index).split("\n").length}`,
		code: (found[1] ?? "").replace(/^[\t ]*\* ?/gm, ""),
	}));
}

function publicNames(api: string): string[] {
	const declared = [...api.matchAll(/^(class|const|function|interface|type) (\w+)(?!.*\(not exported\)$)/gm)].map(
		([, kind, name]) => (kind === "interface" || kind === "type" ? `type ${name}` : `${name}`),
	);
	const renamed = [...api.matchAll(/^(\w+): \w+$/gm)].map(([, name]) => `${name}`);
	return [...new Set([...declared, ...renamed])];
}

/** Imports the public names that the example uses, if possible from the package that it is an example of. */
function importsFor({ home, code }: Example): string {
	const taken = new Set<string>();
	const lines = [home, ...packages.filter((name) => name !== home)].map((name) => {
		const used = (exported.get(name) ?? []).filter((value) => !taken.has(value) && uses(code, value));
		for (const value of used) taken.add(value);
		return used.length > 0 ? `import { ${used.join(", ")} } from "@nearfar/${name}";\n` : "";
	});
	return lines.join("");
}

function uses(code: string, value: string): boolean {
	const name = value.replace(/^type /, "");
	const imports = code.match(/^import .*$/gm)?.join("\n") ?? "";
	return new RegExp(`(?<![\\w.])${name}\\b`).test(code) && !new RegExp(`\\b${name}\\b`).test(imports);
}

test("every @example has a block of TypeScript that runs here", () => {
	const tags = sources.flatMap(({ file }) => readFileSync(join(root, file), "utf8").match(/\* @example/g) ?? []);
	expect(examples).toHaveLength(tags.length);
	expect(examples.length).toBeGreaterThan(0);
});

for (const [index, example] of examples.entries()) {
	const asRoot = /\/\/ as root\b/.test(example.code) ? (["root"] as const) : [];
	const withCgroup = /\/\/ with a cgroup of its own\b/.test(example.code)
		? (["a cgroup with memory and pids in which this user can make groups"] as const)
		: [];
	const withLandlock = /landlock/i.test(example.code) ? (["ABI 3 of Landlock"] as const) : [];
	needs(...asRoot, ...withCgroup, ...withLandlock).test(example.place, async () => {
		await import(/* @vite-ignore */ files[index] as string);
	});
}

test("examples have no type errors", () => {
	expect(
		typeErrors(
			files,
			examples.map(({ place }) => place),
		),
	).toEqual([]);
});
