// Writes packages/<name>/api.txt: every public name of a package with its signature, as users see it. The test beside
// this script compares the files with the sources, so that no public name changes unnoticed.
import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";
import { root } from "./run.mjs";

/** Returns the report of each package of a tree. Nothing has to be built before. */
export function apiReports(tree = root) {
	const hasIndex = (name) => existsSync(join(tree, "packages", name, "src/index.ts")); // a command has none
	const names = readdirSync(join(tree, "packages")).filter(hasIndex).sort();
	const entries = names.map((name) => join(tree, "packages", name, "src/index.ts"));
	const config = ts.readConfigFile(join(tree, "tsconfig.json"), ts.sys.readFile).config;
	const { options } = ts.parseJsonConfigFileContent({ ...config, include: [] }, ts.sys, tree);
	const emit = { noEmit: false, noCheck: true, emitDeclarationOnly: true, declarationMap: false, removeComments: true };
	const program = ts.createProgram(entries, { ...options, ...emit, rootDir: tree, outDir: tree });
	const checker = program.getTypeChecker();
	const emitted = new Map();

	return new Map(names.map((name, i) => [name, reportOf(name, entries[i])]));

	function reportOf(name, entry) {
		const module = checker.getSymbolAtLocation(program.getSourceFile(entry));
		const exports = checker
			.getExportsOfModule(module)
			.map((symbol) => ({ name: symbol.name, target: targetOf(symbol) }));
		const exported = exports.map(({ target }) => target);
		const lines = exports.map((each) => {
			const home = homeOf(each.target);
			if (home !== name) return [each.name, [`${each.name}: of @nearfar/${home}`]];
			return [each.name, each.name === each.target.name ? linesOf(each.target) : [`${each.name}: ${each.target.name}`]];
		});
		// Users also see what a class inherits from one that is not exported.
		for (const symbol of new Set(exported.flatMap(basesOf)))
			if (homeOf(symbol) === name && !exported.includes(symbol))
				lines.push([symbol.name, linesOf(symbol).map((line, i) => (i === 0 ? `${line} (not exported)` : line))]);
		return `${sortByName(lines).join("\n")}\n`;
	}

	function targetOf(symbol) {
		return symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol;
	}

	function homeOf(symbol) {
		return relative(join(tree, "packages"), symbol.declarations[0].getSourceFile().fileName).split("/")[0];
	}

	function basesOf(symbol) {
		if (!(symbol.flags & (ts.SymbolFlags.Class | ts.SymbolFlags.Interface))) return [];
		const bases = checker.getBaseTypes(checker.getDeclaredTypeOfSymbol(symbol)).map((type) => type.symbol);
		return bases.flatMap((base) => [base, ...basesOf(base)]);
	}

	function linesOf(symbol) {
		const type = checker.getDeclaredTypeOfSymbol(symbol);
		if (type.isUnion() && type.types.every((each) => each.isStringLiteral())) {
			const values = type.types.map(({ value }) => JSON.stringify(value)).sort();
			return [`type ${symbol.name} = ${values.join(" | ")}`];
		}
		const statements = declarationsIn(symbol.declarations[0].getSourceFile().fileName);
		return statements
			.filter((statement) => namesOf(statement).includes(symbol.name))
			.flatMap((statement) => describe(statement, symbol.name));
	}

	/** Returns the statements of the declaration file that the compiler makes of a source file. */
	function declarationsIn(fileName) {
		if (!emitted.has(fileName)) {
			let text = "";
			program.emit(program.getSourceFile(fileName), (_, written) => {
				text = written;
			});
			emitted.set(fileName, ts.createSourceFile("emitted.d.ts", text, ts.ScriptTarget.Latest, true).statements);
		}
		return emitted.get(fileName);
	}
}

function namesOf(statement) {
	if (!ts.isVariableStatement(statement)) return statement.name ? [statement.name.text] : [];
	return statement.declarationList.declarations.map(({ name }) => name.text);
}

/** Returns the lines of one declaration: the head, then its members, indented and sorted. */
function describe(statement, name) {
	if (ts.isVariableStatement(statement)) {
		const variable = statement.declarationList.declarations.find((each) => each.name.text === name);
		return [`const ${oneLine(variable.getText())}`];
	}
	if (!ts.isClassDeclaration(statement) && !ts.isInterfaceDeclaration(statement))
		return [oneLine(statement.getText().replace(/^(export )?(declare )?/, ""))];
	const head = statement.getText().slice(0, statement.members.pos - statement.getStart());
	const visible = statement.members.filter((member) => ts.isConstructorDeclaration(member) || !isPrivate(member));
	const members = visible.map((member) => [memberName(member), [`\t${oneLine(member.getText())}`]]);
	return [oneLine(head.replace(/^(export )?(declare )?/, "").replace(/\{$/, "")), ...sortByName(members)];
}

function isPrivate(member) {
	if (member.name && ts.isPrivateIdentifier(member.name)) return true;
	return Boolean(ts.getCombinedModifierFlags(member) & ts.ModifierFlags.Private);
}

function memberName(member) {
	return member.name?.getText() ?? "";
}

/** Takes pairs of a name and lines. Overloads stay in their order, which matters to the compiler. */
function sortByName(pairs) {
	return pairs.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)).flatMap(([, lines]) => lines);
}

/** Returns a declaration on one line, without the place of a type that the compiler imports by itself. */
function oneLine(text) {
	return text
		.replace(/import\("[^"]*"\)\./g, "")
		.replace(/;\s*$/, "")
		.replace(/\s+/g, " ")
		.trim();
}

if (process.argv[1] === fileURLToPath(import.meta.url))
	for (const [name, report] of apiReports()) writeFileSync(join(root, "packages", name, "api.txt"), report);
