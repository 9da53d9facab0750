// Checks the doc comments of everything public: `node scripts/check-docs.mjs [folder…]`, for instance `packages/pidfd`.
// An export has a doc comment that begins with a sentence. The comment of a function or a method begins with its verb
// and has one `@param` for each parameter; that of a function also says what is thrown and which man page to see.
// Every `@throws` line names one cause.
import { existsSync, readdirSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";
import { root } from "./run.mjs";

const entries = readdirSync(join(root, "packages"))
	.map((name) => join(root, "packages", name, "src/index.ts"))
	.filter((entry) => existsSync(entry)); // a command has no public names
/** The two forms of a cause: "`EPERM` The caller has no CAP_SYS_ADMIN." and "Any error that `fn` throws." */
const oneCause = /^(`\w+` [`A-Z].*|Any (error|value) .*)\.$/s;

/** Returns the faults, as `file:line name: fault`, and how many names were looked at. */
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
			check(target, target.name, Boolean(target.flags & ts.SymbolFlags.Function));
			for (const member of membersOf(target)) check(member, `${target.name}.${nameOf(member)}`, false);
		}
	}
	return { count: seen.size, faults: [...seen.values()].flat().sort() };

	function check(symbol, name, isFunction) {
		if (seen.has(symbol)) return;
		const text = ts.displayPartsToString(symbol.getDocumentationComment(checker)).trim();
		const tags = symbol
			.getJsDocTags(checker)
			.map((tag) => ({ ...tag, text: ts.displayPartsToString(tag.text).trim() }));
		const tagged = (kind) => tags.filter((tag) => tag.name === kind);
		const faults = [];
		// The comment of the class says what a constructor does.
		const isConstructor = name.endsWith(".constructor");
		if (!/^\S.*?[.!?](\s|$)/s.test(text) && !(isConstructor && tagged("param").length > 0))
			faults.push("no doc comment that begins with a sentence");
		else if (!isConstructor && isCallable(symbol) && !/^([A-Z][a-z]+s|True when|Resolves when)\b/.test(text))
			faults.push("does not begin with its verb, as in `Returns`");
		const documented = new Set(tagged("param").map(({ text }) => text.split(/\s/)[0]));
		for (const parameter of parametersOf(symbol))
			if (!documented.has(parameter)) faults.push(`no @param for \`${parameter}\``);
		for (const { text } of tagged("throws"))
			if (!oneCause.test(text) || text.includes("·"))
				faults.push(`not one cause, as in \`EPERM\` and a sentence: @throws ${text.slice(0, 60)}`);
		if (isFunction && tagged("throws").length === 0) faults.push("no @throws");
		if (isFunction && tagged("see").length === 0 && !/\bSee\b/.test(text)) faults.push("no @see");
		seen.set(
			symbol,
			faults.map((fault) => `${place(symbol)} ${name}: ${fault}`),
		);
	}

	/** Returns the members that users see: of a class its own and its static ones, of an interface all. */
	function membersOf(symbol) {
		const statics = symbol.flags & ts.SymbolFlags.Class ? [...(symbol.exports ?? []).values()] : [];
		return [...statics, ...(symbol.members ?? []).values()].filter((member) => {
			const [declaration] = member.declarations ?? [];
			if (!declaration || member.flags & (ts.SymbolFlags.TypeParameter | ts.SymbolFlags.Prototype)) return false;
			if (ts.isConstructorDeclaration(declaration) && declaration.parameters.length === 0) return false;
			if (ts.isConstructorDeclaration(declaration) && extendsError(symbol)) return false; // users make no errors of ours
			if (declaration.name && ts.isPrivateIdentifier(declaration.name)) return false;
			return !(ts.getCombinedModifierFlags(declaration) & ts.ModifierFlags.Private);
		});
	}

	function extendsError(symbol) {
		for (let type = checker.getDeclaredTypeOfSymbol(symbol); type; [type] = checker.getBaseTypes(type))
			if (type.symbol.name === "Error") return true;
		return false;
	}
}

function isCallable(symbol) {
	return symbol.declarations.some(
		(declaration) => ts.isFunctionLike(declaration) && !ts.isAccessor(declaration) && !ts.isTypeNode(declaration),
	);
}

/**
 * Returns the names of the parameters of all overloads. The implementation of overloads is not for users, and the value that
 * an accessor sets is what its comment is about.
 */
function parametersOf(symbol) {
	const signatures = symbol.declarations.filter((one) => ts.isFunctionLike(one) && !ts.isAccessor(one));
	const overloads = signatures.filter((signature) => !signature.body);
	const visible = overloads.length > 0 ? overloads : signatures;
	const names = visible.flatMap(({ parameters }) => parameters.map(({ name }) => name.getText()));
	return new Set(names.filter((name) => name !== "this"));
}

function nameOf(member) {
	const [declaration] = member.declarations;
	return ts.isConstructorDeclaration(declaration) ? "constructor" : declaration.name.getText();
}

function place(symbol) {
	const [declaration] = symbol.declarations;
	const file = declaration.getSourceFile();
	const { line } = file.getLineAndCharacterOfPosition(declaration.getStart());
	return `${relative(root, file.fileName)}:${line + 1}`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
	const folders = process.argv.slice(2).map((folder) => `${relative(root, resolve(folder))}/`);
	const { count, faults } = checkDocs();
	const wanted = faults.filter((fault) => folders.length === 0 || folders.some((folder) => fault.startsWith(folder)));
	for (const fault of wanted) console.error(fault);
	console.log(`${count} public names, ${wanted.length} faults in their documentation`);
	process.exitCode = wanted.length > 0 ? 1 : 0;
}
