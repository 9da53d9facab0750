// Whether every public name of every package is documented: an export has a doc comment that begins with a sentence, a
// function also says what it throws and which man page to see, and a member of a class or an interface says what it is.
import { readdirSync } from "node:fs";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";
import { root } from "./run.mjs";

const entries = readdirSync(join(root, "packages")).map((name) => join(root, "packages", name, "src/index.ts"));

/** What is missing, as `file:line name: what`, and how many names were looked at. */
export function checkDocs() {
	const config = ts.readConfigFile(join(root, "tsconfig.json"), ts.sys.readFile).config;
	const { options } = ts.parseJsonConfigFileContent({ ...config, include: [] }, ts.sys, root);
	const program = ts.createProgram(entries, options);
	const checker = program.getTypeChecker();
	const seen = new Map();
	for (const entry of entries) {
		const module = checker.getSymbolAtLocation(program.getSourceFile(entry));
		for (const symbol of checker.getExportsOfModule(module)) {
			const target = symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol;
			check(target, target.name, isFunction(target));
			for (const member of membersOf(target)) check(member, `${target.name}.${nameOf(member)}`, false);
		}
	}
	return { count: seen.size, missing: [...seen.values()].flat().sort() };

	function check(symbol, name, whole) {
		if (seen.has(symbol)) return;
		const text = ts.displayPartsToString(symbol.getDocumentationComment(checker)).trim();
		const tags = new Set(symbol.getJsDocTags(checker).map((tag) => tag.name));
		const lacks = [];
		// What a constructor does is what the class is.
		const begins = /^\S.*?[.!?](\s|$)/s.test(text) || (name.endsWith(".constructor") && tags.has("param"));
		if (!begins) lacks.push("doc comment that begins with a sentence");
		if (whole && !tags.has("throws") && !/\bThrows\b/.test(text)) lacks.push("@throws");
		if (whole && !tags.has("see") && !/\bSee\b/.test(text)) lacks.push("@see");
		seen.set(symbol, lacks.length > 0 ? [`${place(symbol)} ${name}: no ${lacks.join(", no ")}`] : []);
	}

	/** Those that users see: of a class its own and its static ones, of an interface all. */
	function membersOf(symbol) {
		const statics = symbol.flags & ts.SymbolFlags.Class ? [...(symbol.exports ?? []).values()] : [];
		return [...statics, ...(symbol.members ?? []).values()].filter((member) => {
			const [declaration] = member.declarations ?? [];
			if (!declaration || member.flags & (ts.SymbolFlags.TypeParameter | ts.SymbolFlags.Prototype)) return false;
			if (ts.isConstructorDeclaration(declaration) && declaration.parameters.length === 0) return false;
			if (ts.isConstructorDeclaration(declaration) && extendsError(symbol)) return false; // who throws it makes it
			if (declaration.name && ts.isPrivateIdentifier(declaration.name)) return false;
			return !(ts.getCombinedModifierFlags(declaration) & ts.ModifierFlags.Private);
		});
	}

	function extendsError(symbol) {
		for (let type = checker.getDeclaredTypeOfSymbol(symbol); type; [type] = checker.getBaseTypes(type))
			if (type.symbol.name === "Error") return true;
		return false;
	}

	function isFunction(symbol) {
		return Boolean(symbol.flags & ts.SymbolFlags.Function);
	}

	function nameOf(member) {
		const [declaration] = member.declarations;
		return ts.isConstructorDeclaration(declaration) ? "constructor" : declaration.name.getText();
	}
}

function place(symbol) {
	const [declaration] = symbol.declarations;
	const file = declaration.getSourceFile();
	const { line } = file.getLineAndCharacterOfPosition(declaration.getStart());
	return `${relative(root, file.fileName)}:${line + 1}`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
	const { count, missing } = checkDocs();
	for (const line of missing) console.error(line);
	console.log(`${count} public names, ${missing.length} without all of their documentation`);
	process.exitCode = missing.length > 0 ? 1 : 0;
}
