// The shell commands of rows, and what their output tells.
import { nodes } from "./system.mjs";

const PATIENCE = 600; // seconds for each smoke and user, which take 40 to 130 on an emulated processor
const PATIENCE_OF_SUITES = 2700;
const PATIENCE_OF_FILES = 900; // for each user
const MILLISECONDS_OF_TEST = 120_000; // an emulated processor is about ten times slower
const LAST_LINES = 60;
const LAST_SECONDS = 30; // in which the machine tells what its processes wait for

/** Returns the script that runs the rows of one machine, one after the other. */
export function scriptOf(rows) {
	return rows.flatMap((row) => row.uids.map((uid) => commandOf(row, uid))).join("\n");
}

/** Returns how many seconds the script of rows may take, with the boot. */
export function patienceOf(rows) {
	const patience = ({ suites, files }) => (suites ? PATIENCE_OF_SUITES : files ? PATIENCE_OF_FILES : PATIENCE);
	return rows.reduce((sum, row) => sum + patience(row) * row.uids.length, 120);
}

function commandOf(row, uid) {
	const home = uid === 0 ? "/root" : "/home/user";
	const user = uid === 0 ? "" : `setpriv --reuid ${uid} --regid ${uid} --clear-groups `;
	const asUser = `${user}env HOME=${home} `;
	const lines = row.suites ? suiteLines(row) : row.files ? fileLines(row, uid) : smokeLines(row, asUser);
	return [`echo "@begin ${row.name} as ${uid}"`, "start=$(date +%s%N)", ...lines, `${END} ${row.name} as ${uid}"`].join(
		"\n",
	);
}

/** The end of a row: its exit code and its milliseconds. */
const END = 'echo "@end $? $(( ($(date +%s%N) - start) / 1000000 ))';

function smokeLines({ platform, node, refused }, user) {
	const program = refused ? "smoke/refused.mjs" : "smoke/smoke.mjs";
	return [`cd /tree/${platform}`, `timeout -s KILL ${PATIENCE} ${user}${nodes[node]} ${program}`];
}

/** The lines that run test files, those of each pattern in one process. The user has a cgroup of its own. */
function fileLines({ files }, uid) {
	const user = uid === 0 ? "" : "as-user ";
	const runner = `${user}node --conditions nearfar-source scripts/vm/run-tests.mjs`;
	// A process that ends early takes the later tests of its pattern with it, and so its status is that of the row.
	const runs = files.map((pattern) => `files=(packages/${pattern}.test.js); [ -z "$files" ] || run "\${files[@]}"`);
	const script = [
		"shopt -s nullglob extglob; status=0",
		`run() { ${runner} "$@" || status=$?; }`,
		...runs,
		"exit $status",
	];
	return [
		"cd /tree",
		`node scripts/vm/stuck.mjs ${PATIENCE_OF_FILES - LAST_SECONDS} & watch=$!`,
		`timeout -s KILL ${PATIENCE_OF_FILES} bash -c '${script.join("\n")}'; status=$?`,
		"kill $watch 2>/dev/null; (exit $status)",
	];
}

function suiteLines({ suites }) {
	const projects = suites.map((name) => `--project ${name}`).join(" ");
	const reporters = "--reporter=default --reporter=json --outputFile.json=/tmp/report.json";
	// vitest would leave one of the two processors for itself. The tests of load take minutes, and ask nothing of a kernel.
	const options = `--maxWorkers=2 --testTimeout=${MILLISECONDS_OF_TEST} --exclude '**/crowd.test.ts'`;
	const vitest = `node node_modules/vitest/vitest.mjs run --configLoader=runner ${options} ${reporters} ${projects}`;
	return ["cd /tree", `timeout -s KILL ${PATIENCE_OF_SUITES} ${vitest}`, "node scripts/count.mjs /tmp/report.json"];
}

/**
 * Returns what happened to a row as a user, from the output of its machine: counts, the lines of what did not pass, and how long it
 * took.
 */
export function resultOf(output, { name, suites }, uid) {
	const counts = { passed: 0, failed: 0, skipped: 0, faults: [] };
	const began = output.indexOf(`@begin ${name} as ${uid}\n`);
	if (began === -1) return { ...counts, failed: 1, faults: ["the machine ended before it began"] };
	const rest = output.slice(began);
	const end = new RegExp(`^@end (\\d+) (\\d+) ${escaped(name)} as ${uid}$`, "m").exec(rest);
	const text = end ? rest.slice(0, end.index) : rest;
	if (suites) addLastLine(counts, text);
	else addCases(counts, text);
	const status = end ? `status ${end[1]}` : "the machine ended before its end";
	if (end?.[1] !== "0" || counts.passed === 0) {
		if (counts.failed === 0) counts.failed++;
		counts.faults.push(`${status}, and at last:\n${text.trimEnd().split("\n").slice(-LAST_LINES).join("\n")}`);
	}
	return { ...counts, milliseconds: end ? Number(end[2]) : undefined };
}

function addCases(counts, text) {
	for (const [line, kind] of text.matchAll(/^\s*(passed|failed|skipped): .*$/gm)) {
		counts[kind]++;
		if (kind !== "passed") counts.faults.push(line.trim());
	}
}

function addLastLine(counts, text) {
	const [, ...numbers] = /^(\d+) passed, (\d+) failed, (\d+) skipped$/m.exec(text) ?? [];
	for (const [i, kind] of ["passed", "failed", "skipped"].entries()) counts[kind] += Number(numbers[i] ?? 0);
	for (const [line] of text.matchAll(/^failed: .*$/gm)) counts.faults.push(line);
}

const escaped = (text) => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
