// Makes programs for Node of the TypeScript in a copy of this tree, so that a machine runs tests without a compiler.
import * as fs from "node:fs";
import { join } from "node:path";
import ts from "typescript";

const compilerOptions = {
	target: ts.ScriptTarget.ES2022, // Node 20 cannot parse `using`
	module: ts.ModuleKind.ESNext,
	verbatimModuleSyntax: true,
	rewriteRelativeImportExtensions: true,
};

/** Compiles the sources, tests and examples of all packages in a copy of this tree: each `x.ts` gets an `x.js` beside it. */
export function compileTree(tree) {
	const packages = fs.readdirSync(join(tree, "packages")).map((name) => join(tree, "packages", name));
	const parts = ["src", "test", "examples"];
	for (const folder of [join(tree, "test"), ...packages.flatMap((each) => parts.map((part) => join(each, part)))])
		compileFolder(folder);
	for (const file of packages.map((each) => join(each, "package.json"))) {
		const text = fs.readFileSync(file, "utf8");
		fs.writeFileSync(file, text.replace(/("nearfar-source": ".*)\.ts"/g, '$1.js"'));
	}
}

function compileFolder(folder) {
	if (!fs.existsSync(folder)) return;
	for (const name of fs.readdirSync(folder, { recursive: true })) {
		if (!name.endsWith(".ts") || name.endsWith(".d.ts")) continue;
		const fileName = join(folder, name);
		const { outputText } = ts.transpileModule(fs.readFileSync(fileName, "utf8"), { fileName, compilerOptions });
		fs.writeFileSync(fileName.replace(/\.ts$/, ".js"), outputText);
	}
}
