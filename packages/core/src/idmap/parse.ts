import { outOfRange, wrongType, wrongValue } from "../arguments.ts";
import { checkMapping, type IdMapping } from "./mapping.ts";

const line = /^[ \t\r\f\v]*(\d+)(?:[ \t\r\f\v]+(\d+)[ \t\r\f\v]+|[ \t]*:[ \t]*(\d+)[ \t]*:[ \t]*)(\d+)[ \t\r\f\v]*$/;
const blank = /^[ \t\r\f\v]*$/;
/** The longest text in UTF-16 units, about twice what the most mappings need. */
const LONGEST_TEXT = 4 * 1024 * 1024;

/** Returns the mapping of each line of a text. A comma ends a line, too. Blank lines are left out. */
export function* parseLines(text: unknown): Generator<IdMapping, void> {
	if (typeof text !== "string") throw wrongType("text", "a string", text);
	if (text.length > LONGEST_TEXT) throw outOfRange("text", `a text of at most ${LONGEST_TEXT} characters`, text.length);
	for (const [index, each] of text.split(/[\n,]/).entries()) {
		if (!blank.test(each)) yield parseLine(each, `line ${index + 1} of text`);
	}
}

function parseLine(text: string, name: string): IdMapping {
	const [, inside, spaced, colon, count] = line.exec(text) ?? [];
	if (inside === undefined) throw wrongValue(name, 'three numbers, as in "0 1000 1" or "0:1000:1"', text);
	const numbers = [inside, spaced ?? colon, count].map(Number) as [number, number, number];
	return checkMapping(numbers, [`inside, ${name}`, `outside, ${name}`, `count, ${name}`]);
}
