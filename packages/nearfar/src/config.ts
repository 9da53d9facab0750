import { readFileSync } from "node:fs";
import type { SandboxOptions } from "@nearfar/sandbox";
import { UsageError } from "./errors.ts";

/** What this file looks at in a JSON Schema. */
interface Schema {
	readonly anyOf?: readonly Schema[];
	readonly items?: Schema;
	readonly properties?: Readonly<Record<string, Schema>>;
	readonly additionalProperties?: false | Schema;
}

/** Reads the options of a sandbox from a file of JSON, and refuses a key that does nothing. The values are the sandbox's to check. */
export function readConfig(file: string): SandboxOptions {
	const schema: Schema = JSON.parse(readFileSync(new URL("../schema.json", import.meta.url), "utf8"));
	const value = parse(file);
	if (typeof value !== "object" || value === null || Array.isArray(value)) {
		const found = value === null ? "null" : Array.isArray(value) ? "an array" : `a ${typeof value}`;
		throw wrong(file, `it holds ${found}, and an object is needed`);
	}
	const unknown = findUnknown(value, schema, "");
	if (unknown) throw wrong(file, unknown);
	const { $schema: _, ...options } = value as SandboxOptions & { $schema?: unknown };
	return options;
}

function parse(file: string): unknown {
	let text: string;
	try {
		text = readFileSync(file, "utf8");
	} catch (error) {
		throw wrong(file, `it cannot be read: ${(error as Error).message}`);
	}
	try {
		return JSON.parse(text);
	} catch (error) {
		throw wrong(file, `it is no JSON: ${(error as Error).message}`);
	}
}

/** Returns a sentence about a key that the schema does not have, or `undefined`. */
function findUnknown(value: unknown, schema: Schema, path: string): string | undefined {
	if (typeof value !== "object" || value === null) return undefined;
	const { anyOf, items, properties = {}, additionalProperties } = schema;
	if (anyOf) {
		const fitting = anyOf.filter((each) =>
			Array.isArray(value) ? each.items : each.additionalProperties !== undefined,
		);
		const found = fitting.map((each) => findUnknown(value, each, path));
		return found.includes(undefined) ? undefined : found.at(-1);
	}
	if (Array.isArray(value)) {
		return first(value, (each, index) => items && findUnknown(each, items, `${path}[${index}]`));
	}
	return first(Object.entries(value), ([key, each]) => {
		const place = path === "" ? key : `${path}.${key}`;
		const own = Object.hasOwn(properties, key) ? properties[key] : additionalProperties;
		if (own) return findUnknown(each, own, place);
		if (own === undefined) return undefined; // a value of another type than the schema has
		return `it has the key ${JSON.stringify(place)}, and there the keys are ${Object.keys(properties).join(", ")}`;
	});
}

function first<T>(list: readonly T[], find: (each: T, index: number) => string | undefined): string | undefined {
	for (const [index, each] of list.entries()) {
		const found = find(each, index);
		if (found !== undefined) return found;
	}
	return undefined;
}

function wrong(file: string, what: string): UsageError {
	return new UsageError(`cannot take the options of ${file}: ${what}`, "nearfar run");
}
