/** Returns the word that was most likely meant, if one differs by case or by at most two letters. */
export function nearest(written: string, words: readonly string[]): string | undefined {
	const far = Math.min(3, Math.ceil(written.length / 2));
	const distances = words.map((word) => ({ word, distance: distance(written.toLowerCase(), word.toLowerCase()) }));
	return distances.filter(({ distance }) => distance < far).sort((one, other) => one.distance - other.distance)[0]
		?.word;
}

/** Returns how many letters have to be inserted, removed or replaced to make one word of the other (Levenshtein). */
function distance(one: string, other: string): number {
	let row = Array.from({ length: other.length + 1 }, (_, index) => index);
	for (const [index, letter] of [...one].entries()) {
		const next = [index + 1];
		for (let column = 0; column < other.length; column++) {
			const replaced = (row[column] ?? 0) + (letter === other[column] ? 0 : 1);
			next.push(Math.min(replaced, (row[column + 1] ?? 0) + 1, (next[column] ?? 0) + 1));
		}
		row = next;
	}
	return row[other.length] ?? 0;
}
