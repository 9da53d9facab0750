import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { rewriteDeclarations, sourceImportsOf } from "./declarations.mjs";
import { root, run } from "./run.mjs";

test("declarations import declarations, also after a second run", () => {
	const folder = mkdtempSync(join(tmpdir(), "nearfar-declarations-"));
	onTestFinished(() => rmSync(folder, { recursive: true }));
	mkdirSync(join(folder, "deep"));
	const file = join(folder, "deep/x.d.ts");
	const example = '/**\n * import { a } from "./example.ts";\n */\n';
	const names = [
		'import "./effect.ts";',
		'export * from "./a.ts";',
		'import type * as B from "../../native/b.js";',
		'import { c } from "@nearfar/core";',
	];
	writeFileSync(file, `${example}${names.join("\n")}\n`);
	expect(sourceImportsOf(folder)).toEqual([`${file}: import "./effect.ts";`, `${file}: export * from "./a.ts";`]);
	for (let run = 0; run < 2; run++) {
		rewriteDeclarations(folder);
		expect(readFileSync(file, "utf8")).toBe(
			`${example}/* @ts-types="./effect.d.ts" */ import "./effect.js";\n` +
				`/* @ts-types="./a.d.ts" */ export * from "./a.js";\n` +
				'/* @ts-types="../../native/b.d.ts" */ import type * as B from "../../native/b.js";\n' +
				'import { c } from "@nearfar/core";\n',
		);
		expect(sourceImportsOf(folder)).toEqual([]);
	}
	writeFileSync(file, 'export declare const a: import("./a.ts").A;\n');
	expect(sourceImportsOf(folder)).toHaveLength(1);
});

test("the declarations of all packages compile with the tsconfig of the README, which checks declarations too", () => {
	const folder = mkdtempSync(join(tmpdir(), "nearfar-declarations-"));
	onTestFinished(() => rmSync(folder, { recursive: true }));
	const [, tsconfig] = /tsconfig\.json:\n\n```json\n([^`]+)```/.exec(readFileSync(join(root, "README.md"), "utf8"));
	writeFileSync(join(folder, "tsconfig.json"), tsconfig);
	writeFileSync(join(folder, "package.json"), '{ "type": "module" }');
	symlinkSync(join(root, "node_modules"), join(folder, "node_modules"));
	const names = readdirSync(join(root, "packages")).filter((name) => name !== "nearfar"); // a command, without types
	const exported = names.map((name) => `export * as ${name} from "@nearfar/${name}";\n`);
	writeFileSync(join(folder, "use.ts"), exported.join(""));
	expect(run("tsc", ["--noEmit", "--project", folder])).toBe("");
}, 60_000);
