// Adds up the results of the test runners: `node scripts/count.mjs vitest.json… cargo.log… demo.log…`. Counts the JSON of
// vitest, the `test result:` lines of cargo, and the `N passed, N failed, N skipped` lines of these scripts.
import { existsSync, readFileSync } from "node:fs";
import { relative } from "node:path";
import { fileURLToPath } from "node:url";

export function countVitest(file, root = "/") {
	const counts = { passed: 0, failed: 0, skipped: 0, ran: new Set(), skips: [] };
	for (const suite of JSON.parse(readFileSync(file, "utf8")).testResults) {
		const kinds = suite.assertionResults.map(({ status }) => (status in counts ? status : "skipped"));
		// A file that failed to load has no tests, and counts as one failure.
		if (suite.status === "failed" && !kinds.includes("failed")) kinds.push("failed");
		for (const kind of kinds) counts[kind]++;
		const passedOver = suite.assertionResults.filter(({ status }) => status !== "passed" && status !== "failed");
		counts.skips.push(...passedOver.map(({ fullName }) => `${relative(root, suite.name)}: ${fullName}`));
		const folder = relative(root, suite.name).match(/^(packages\/[^/]+|[^/]+)/)?.[0];
		if (kinds.some((kind) => kind !== "skipped")) counts.ran.add(folder);
	}
	return counts;
}

export function line({ passed, failed, skipped }) {
	return `${passed} passed, ${failed} failed, ${skipped} skipped`;
}

function countLog(file) {
	const counts = { passed: 0, failed: 0, skipped: 0 };
	const cargo = /^test result: .*?(\d+) passed; (\d+) failed; (\d+) ignored/;
	const ours = /^(\d+) passed, (\d+) failed, (\d+) skipped$/;
	for (const text of readFileSync(file, "utf8").split("\n")) {
		const found = text.match(cargo) ?? text.match(ours);
		if (!found) continue;
		counts.passed += Number(found[1]);
		counts.failed += Number(found[2]);
		counts.skipped += Number(found[3]);
	}
	return counts;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
	const total = { passed: 0, failed: 0, skipped: 0 };
	for (const file of process.argv.slice(2).filter((file) => existsSync(file))) {
		const counts = file.endsWith(".json") ? countVitest(file) : countLog(file);
		for (const kind of Object.keys(total)) total[kind] += counts[kind];
	}
	console.log(line(total));
}
