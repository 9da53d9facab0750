// Adds up the results of the test runners: `node scripts/count.mjs vitest.json… cargo.log… demo.log…`. Counts the JSON of
// vitest, the `test result:` lines of cargo, and the `N passed, N failed, N skipped` lines of these scripts. What failed
// is listed first, with its message.
import { existsSync, readFileSync } from "node:fs";
import { relative } from "node:path";
import { fileURLToPath } from "node:url";

export function countVitest(file, root = "/") {
	const counts = { passed: 0, failed: 0, skipped: 0, ran: new Set(), skips: [], fails: [] };
	for (const suite of JSON.parse(readFileSync(file, "utf8")).testResults) {
		const kinds = suite.assertionResults.map(({ status }) => (status in counts ? status : "skipped"));
		const name = relative(root, suite.name);
		for (const { status, fullName, failureMessages } of suite.assertionResults) {
			if (status === "failed") counts.fails.push(`${name}: ${fullName}\n${failureMessages.join("\n")}`);
		}
		// A file that failed to load has no tests, and counts as one failure.
		if (suite.status === "failed" && !kinds.includes("failed")) {
			kinds.push("failed");
			counts.fails.push(`${name}: ${suite.message}`);
		}
		for (const kind of kinds) counts[kind]++;
		const passedOver = suite.assertionResults.filter(({ status }) => status !== "passed" && status !== "failed");
		// A test that was skipped while it ran says in its meta what it needs.
		const why = ({ needs } = {}) => (needs ? ` (skipped: needs ${needs})` : "");
		counts.skips.push(...passedOver.map(({ fullName, meta }) => `${name}: ${fullName}${why(meta)}`));
		const folder = name.match(/^(packages\/[^/]+|[^/]+)/)?.[0];
		if (kinds.some((kind) => kind !== "skipped")) counts.ran.add(folder);
	}
	return counts;
}

export function line({ passed, failed, skipped }) {
	return `${passed} passed, ${failed} failed, ${skipped} skipped`;
}

function countLog(file) {
	const counts = { passed: 0, failed: 0, skipped: 0, fails: [] };
	const cargo = /^test result: .*?(\d+) passed; (\d+) failed; (\d+) ignored/;
	const ours = /^(\d+) passed, (\d+) failed, (\d+) skipped$/;
	for (const text of readFileSync(file, "utf8").split("\n")) {
		const failed = text.match(/^test (.*) \.\.\. FAILED$/);
		if (failed) counts.fails.push(failed[1]);
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
		// They stand at the end of the output, because that is the part which a reader of a long log gets to see.
		for (const fail of counts.fails) console.log(`failed: ${fail}`);
	}
	console.log(line(total));
}
