// Writes packages/nearfar/schema.json: the JSON Schema of what `nearfar run --config FILE` takes, made from the type `SandboxOptions`. The
// test beside this script compares the file with the sources.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";
import { root } from "./run.mjs";

export const schemaFile = join(root, "packages/nearfar/schema.json");

/** Returns the schema as text. Nothing has to be built before. */
export function configSchema() {
	const entry = join(root, "packages/sandbox/src/options.ts");
	const config = ts.readConfigFile(join(root, "tsconfig.json"), ts.sys.readFile).config;
	const { options } = ts.parseJsonConfigFileContent({ ...config, include: [] }, ts.sys, root);
	const program = ts.createProgram([entry], options);
	const checker = program.getTypeChecker();
	const module = checker.getSymbolAtLocation(program.getSourceFile(entry));
	const symbol = checker.getExportsOfModule(module).find(({ name }) => name === "SandboxOptions");
	const { properties, ...rest } = toSchema(checker.getDeclaredTypeOfSymbol(symbol), "SandboxOptions");
	const schema = {
		$schema: "https://json-schema.org/draft/2020-12/schema",
		title: "The options of a sandbox, as nearfar run --config takes them",
		...rest,
		properties: { $schema: { type: "string", description: "Where this schema is, for an editor." }, ...properties },
	};
	return `${JSON.stringify(schema, null, "\t")}\n`;

	/** Returns the schema of a type, or `undefined` for a type that JSON does not have. */
	function toSchema(type, path) {
		if (type.isUnion()) return ofUnion(type, path);
		if (type.isStringLiteral()) return { enum: [type.value] };
		if (type.flags & ts.TypeFlags.BooleanLiteral) return { enum: [checker.typeToString(type) === "true"] };
		if (type.flags & ts.TypeFlags.String) return { type: "string" };
		if (type.flags & ts.TypeFlags.Number) return { type: "number" };
		if (checker.isTupleType(type)) throw new Error(`${path} is a tuple, and this script has no rule for it`);
		if (checker.isArrayType(type)) {
			const [item] = checker.getTypeArguments(type);
			return { type: "array", items: toSchema(item, `${path}[]`) };
		}
		const isOurs = type.symbol?.declarations?.every((each) =>
			each.getSourceFile().fileName.startsWith(join(root, "packages")),
		);
		const isRecord = checker.getIndexInfosOfType(type).length > 0 && checker.getPropertiesOfType(type).length === 0;
		if (isRecord) {
			const [{ type: value }] = checker.getIndexInfosOfType(type);
			return { type: "object", additionalProperties: toSchema(value, `${path}.*`) };
		}
		return isOurs && !type.isClass() && type.getCallSignatures().length === 0 ? ofObject(type, path) : undefined;
	}

	function ofUnion(type, path) {
		const members = type.types.filter((each) => !(each.flags & ts.TypeFlags.Undefined));
		const schemas = members.map((each) => toSchema(each, path)).filter(Boolean);
		const values = schemas.flatMap((each) => each.enum ?? []).sort(); // the compiler has them in the order in which it met them
		const others = schemas.filter((each) => !each.enum);
		const all = values.length > 0 ? [{ enum: values }, ...others] : others;
		if (all.length === 0) return undefined;
		return all.length === 1 ? all[0] : { anyOf: all };
	}

	function ofObject(type, path) {
		const properties = {};
		const required = [];
		for (const property of checker.getPropertiesOfType(type)) {
			const schema = toSchema(checker.getTypeOfSymbol(property), `${path}.${property.name}`);
			if (!schema) continue; // a function, a signal or an object of a class
			const comment = ts.displayPartsToString(property.getDocumentationComment(checker));
			const description = comment
				.replace(/\{@link (\w+) ?\}/g, "$1")
				.replace(/\s+/g, " ")
				.trim();
			properties[property.name] = { ...(description && { description }), ...schema };
			if (!(property.flags & ts.SymbolFlags.Optional)) required.push(property.name);
		}
		return { type: "object", properties, additionalProperties: false, ...(required.length > 0 && { required }) };
	}
}

if (process.argv[1] === fileURLToPath(import.meta.url)) writeFileSync(schemaFile, configSchema());
