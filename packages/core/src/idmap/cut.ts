import { outOfRange } from "../arguments.ts";
import { type IdMapping, lineInside, lineOf } from "./mapping.ts";

/**
 * Cuts lines where lines of the parent's map end. The kernel refuses a line whose ids outside are in several lines of the parent.
 *
 * @param lines - The lines to cut, whose ids outside are those that the parent has inside.
 * @param parents - The lines of the parent, sorted by the ids inside.
 */
export function cutLines(lines: readonly IdMapping[], parents: readonly IdMapping[]): IdMapping[] {
	return lines.flatMap((line) => {
		const pieces: IdMapping[] = [];
		for (let done = 0; done < line.count; done += pieces.at(-1)?.count ?? 0) {
			const [inside, outside] = [line.inside + done, line.outside + done];
			const parent = lineInside(parents, outside);
			if (!parent) throw missingId(line, outside);
			pieces.push({ inside, outside, count: Math.min(line.count - done, parent.inside + parent.count - outside) });
		}
		return pieces;
	});
}

function missingId(line: IdMapping, id: number): RangeError {
	return outOfRange("parent", `a map that has the id ${id} inside, which "${lineOf(line)}" has outside`, id);
}
