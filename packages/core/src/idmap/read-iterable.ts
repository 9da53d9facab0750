import { outOfRange, wrongType } from "../arguments.ts";

/** The most values that are read from an iterable. A generator may have no end. */
const MOST = 65_536;

/**
 * Reads the values of an iterable, and checks each of them.
 *
 * @param source - As the caller has given it.
 * @param name - The name of the parameter for error messages.
 * @param what - What the values are, in the plural, for error messages.
 * @param read - Returns a checked copy of a value, whose name is for error messages.
 */
export function readIterable<T>(
	source: unknown,
	name: string,
	what: string,
	read: (each: unknown, name: string) => T,
): T[] {
	const expected = `an iterable of ${what}`;
	if (typeof source !== "object" || source === null) throw wrongType(name, expected, source);
	if (typeof (source as Iterable<unknown>)[Symbol.iterator] !== "function") throw wrongType(name, expected, source);
	const found: T[] = [];
	for (const each of source as Iterable<unknown>) {
		if (found.length === MOST) throw outOfRange(name, `an iterable of at most ${MOST} ${what}`, source);
		found.push(read(each, `${name}[${found.length}]`));
	}
	return found;
}
