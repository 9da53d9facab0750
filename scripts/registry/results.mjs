// Runs checks, prints a line for each, and counts how they end.

/** Thrown by a check that this machine cannot run. */
class Skip extends Error {}

/** Returns the counts of checks, and a function that runs a check and returns its result, or `undefined` unless it passes. */
export function checks() {
	const counts = { passed: 0, failed: 0, skipped: 0 };
	const check = async (name, act) => {
		const began = performance.now();
		try {
			const result = (await act()) ?? true;
			counts.passed++;
			console.log(`passed: ${name} (${((performance.now() - began) / 1000).toFixed(1)} s)`);
			return result;
		} catch (error) {
			const kind = error instanceof Skip ? "skipped" : "failed";
			counts[kind]++;
			console.log(`${kind}: ${name}: ${error.message}`);
			return undefined;
		}
	};
	return { check, counts, Skip };
}
