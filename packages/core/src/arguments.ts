import { nearest } from "./nearest.ts";

type Code = "ERR_INVALID_ARG_TYPE" | "ERR_INVALID_ARG_VALUE" | "ERR_OUT_OF_RANGE";

/** Returns the `TypeError` for an argument of the wrong type, in the words of Node and with the code of Node. */
export function wrongType(name: string, expected: string, found: unknown): TypeError {
	return withCode(
		new TypeError(`The "${name}" argument must be ${expected}. Received ${show(found)}`),
		"ERR_INVALID_ARG_TYPE",
	);
}

/** Returns the `TypeError` for an argument of the right type whose value is not allowed. */
export function wrongValue(name: string, expected: string, found: unknown): TypeError {
	return withCode(
		new TypeError(`The "${name}" argument must be ${expected}. Received ${show(found)}`),
		"ERR_INVALID_ARG_VALUE",
	);
}

/** Returns the `RangeError` for a number that is too small, too large or not whole. */
export function outOfRange(name: string, expected: string, found: unknown): RangeError {
	return withCode(
		new RangeError(`The value of "${name}" is out of range. It must be ${expected}. Received ${show(found)}`),
		"ERR_OUT_OF_RANGE",
	);
}

function withCode<E extends Error>(error: E, code: Code): E {
	return Object.assign(error, { code });
}

function show(value: unknown): string {
	const { inspect } = process.getBuiltinModule("node:util");
	const text = inspect(value, { depth: 0, maxStringLength: 80 });
	return `${typeof value === "object" || typeof value === "function" ? "" : `type ${typeof value} `}(${text})`;
}

/** Checks that a value is a whole number from `min` to `max`. */
export function integer(value: unknown, name: string, min: number, max: number): number {
	if (typeof value !== "number") throw wrongType(name, "a number", value);
	if (!Number.isInteger(value) || value < min || value > max || Object.is(value, -0)) {
		throw outOfRange(name, `a whole number from ${min} to ${max}`, value);
	}
	return value;
}

/** Checks that a value fits into 64 bits: a whole number, or a bigint from -2^63 to 2^64-1. */
export function word(value: number | bigint, name: string): number | bigint {
	if (typeof value === "number") return integer(value, name, Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER);
	if (value < -(1n << 63n) || value >= 1n << 64n) throw outOfRange(name, "a bigint from -2^63 to 2^64-1", value);
	return value;
}

/** Checks a pid. `min` is 1, or 0 for calls in which 0 stands for the caller. */
export function pid(value: unknown, name = "pid", min: 0 | 1 = 1): number {
	return integer(value, name, min, 2 ** 31 - 1);
}

/** Checks a user or group id. The largest 32-bit number is refused: it stands for "unchanged" in system calls. */
export function id(value: unknown, name: string): number {
	return integer(value, name, 0, 2 ** 32 - 2);
}

/** Checks the number of a descriptor. */
export function descriptorNumber(value: unknown, name = "fd"): number {
	return integer(value, name, 0, 2 ** 31 - 1);
}

/** Checks an offset or a length in a file, in bytes, and returns it as a number. */
export function offset(value: number | bigint, name: string): number {
	return integer(typeof value === "bigint" ? Number(value) : value, name, 0, Number.MAX_SAFE_INTEGER);
}

/** Checks that a value is a string without NUL bytes. */
export function text(value: unknown, name: string): string {
	if (typeof value !== "string") throw wrongType(name, "a string", value);
	if (value.includes("\0")) throw wrongValue(name, "a string without NUL bytes", value);
	return value;
}

/** Checks that a value is a boolean or left out. */
export function optionalBoolean(value: unknown, name: string): boolean | undefined {
	if (value !== undefined && typeof value !== "boolean") throw wrongType(name, "a boolean", value);
	return value;
}

/** Checks that a value is a boolean. */
export function boolean(value: unknown, name: string): boolean {
	if (typeof value !== "boolean") throw wrongType(name, "a boolean", value);
	return value;
}

/** Checks that a value is an `AbortSignal` or left out. */
export function abortSignal(value: unknown, name = "options.signal"): AbortSignal | undefined {
	if (value !== undefined && !(value instanceof AbortSignal)) throw wrongType(name, "an AbortSignal", value);
	return value;
}

/** The type of a list that holds every name of `T`. Otherwise no list has this type, and the compiler shows the missing names. */
export type EveryName<T, K extends readonly PropertyKey[]> = [keyof T] extends [K[number]]
	? unknown
	: { missing: Exclude<keyof T, K[number]> };

/**
 * Checks that a value is an object of options, and that all of its options are known: an option that is dropped in silence
 * may be the one that isolates. An option that is `undefined` is absent.
 *
 * @param value - The options as the caller has given them.
 * @param known - The names of all options. A new option is one more name here, and the compiler asks for the name.
 * @param name - The name of the parameter for error messages.
 * @param ignored - Names of other options that are allowed, and have no effect.
 * @returns The same object, or an empty one for `undefined`.
 */
export function options<T extends object, const K extends readonly (keyof T & string)[]>(
	value: T | undefined,
	known: K & EveryName<T, K>,
	name = "options",
	ignored: readonly string[] = [],
): T {
	if (value === undefined) return {} as T;
	if (value === null || typeof value !== "object" || Array.isArray(value)) throw wrongType(name, "an object", value);
	// A loop over inherited options too: the functions read them. It allocates nothing, as `Object.keys` would.
	for (const option in value) {
		if ((known as readonly string[]).includes(option) || value[option] === undefined) continue;
		if (ignored.includes(option) || option in Object.prototype) continue;
		throw unknownOption(`${name}.${option}`, nearest(option, known), known);
	}
	return value;
}

function unknownOption(option: string, near: string | undefined, known: readonly string[]): TypeError {
	const help = near === undefined ? `the options are ${known.join(", ")}` : `did you mean ${near}?`;
	return withCode(new TypeError(`There is no option "${option}": ${help}`), "ERR_INVALID_ARG_VALUE");
}

/** Checks that a value is an array. Returns a copy in which holes are `undefined`, because `map` skips holes unchecked. */
export function array<T>(value: readonly T[] | undefined, name: string): readonly T[] {
	if (!Array.isArray(value)) throw wrongType(name, "an array", value);
	return [...value];
}
