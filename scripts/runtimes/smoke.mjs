// Runs all cases, or those with a word in their names, and prints at last "N passed, N failed, N skipped".
import { cases, execute } from "./cases.mjs";

const counts = { passed: 0, failed: 0, skipped: 0 };
for (const name of Object.keys(cases)) {
	if (process.argv[2] && !name.includes(process.argv[2])) continue;
	const { result } = await execute(name);
	counts[result]++;
}
console.log(`${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`);
// After a success the process has to end by itself.
if (counts.failed > 0) process.exit(1);
