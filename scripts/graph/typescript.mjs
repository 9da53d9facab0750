// Reads which TypeScript files of a folder use which.
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import ts from "typescript";

/**
 * Returns the graph of the files of a folder. Imports that the compiler erases, those of types alone, are left out:
 * they load nothing, and a cycle of them does no harm.
 */
export function valueImports(folder) {
	const files = readdirSync(folder, { recursive: true }).filter((file) => file.endsWith(".ts"));
	return new Map(files.map((file) => [without(file), importedBy(folder, file)]));
}

function importedBy(folder, file) {
	const source = ts.createSourceFile(file, readFileSync(join(folder, file), "utf8"), ts.ScriptTarget.Latest);
	const specifiers = [];
	const visit = (node) => {
		if ((ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) && !isErased(node))
			specifiers.push(node.moduleSpecifier);
		else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword)
			specifiers.push(node.arguments[0]);
		else ts.forEachChild(node, visit);
	};
	ts.forEachChild(source, visit);
	const relatives = specifiers.map((specifier) => specifier?.text ?? "").filter((text) => text.startsWith("."));
	return new Set(relatives.map((text) => without(relative(folder, join(folder, dirname(file), text)))));
}

/** With `verbatimModuleSyntax`, `import { type T } from "…"` still loads the file; `import type` does not. */
function isErased(node) {
	return Boolean(ts.isImportDeclaration(node) ? node.importClause?.isTypeOnly : node.isTypeOnly);
}

function without(file) {
	return file.replace(/\.ts$/, "");
}
