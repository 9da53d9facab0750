// `node --conditions nearfar-source scripts/vm/run-tests.mjs <file>…`: runs compiled test files one after the other in one process,
// and writes a line for each test. vitest itself takes half a minute to start on an emulated processor, and 12 s more for
// each file: this script is the test runner of vitest without its server, for files that scripts/vm/compile.mjs has made.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createRequire } from "node:module";
import { relative } from "node:path";
import { pathToFileURL } from "node:url";

process.env.NO_COLOR = "1";

const MILLISECONDS_OF_TEST = 120_000; // an emulated processor is about ten times slower
const LAST_LINES = 12;

const config = {
	...{ root: process.cwd(), testTimeout: MILLISECONDS_OF_TEST, hookTimeout: MILLISECONDS_OF_TEST, retry: 0 },
	...{ setupFiles: [], maxConcurrency: 1, tags: [] },
	expect: { poll: { timeout: MILLISECONDS_OF_TEST / 2 } },
	sequence: { hooks: "stack", setupFiles: "list" },
	snapshotOptions: { updateSnapshot: "none", expand: false },
	experimental: { viteModuleRunner: false, importDurations: { limit: 0 } },
};

// What vitest finds in the global of a worker. It has to be there before vitest is imported.
globalThis.__vitest_worker__ = { config, ctx: { pool: "forks" }, environment: { name: "node" }, providedContext: {} };
const { TestRunner } = await import("vitest");
const { startTests } = await import(createRequire(import.meta.resolve("vitest")).resolve("@vitest/runner"));
const { makeTasksInspectable } = await import("../../test/inspectable.js");
const { expectNoLeaks } = await import("../../test/leaks.js");
const { skipWhatNeedsProc } = await import("../../test/without-proc.js");

/** The runner of a worker of vitest, less snapshots and what a server is told. */
class Runner extends TestRunner {
	constructor() {
		super(config);
		this.__setTraces({ $: (_name, options, call) => (call ?? options)() });
		this.snapshotClient = { clearTest() {}, getSnapshotState() {}, clear() {} };
	}

	/** Imports a test file, after what test/setup.ts says of each file. */
	importFile(path) {
		expectNoLeaks();
		return import(pathToFileURL(path).href);
	}

	onCleanupWorkerContext() {}

	onBeforeRunSuite(suite) {
		this.workerState.current = suite;
	}

	onAfterRunSuite(suite) {
		this.workerState.current = suite.suite ?? suite.file;
	}

	/** Tells the end of a test at once: the machine can be killed before the last one has ended. */
	onAfterRunTask(task) {
		super.onAfterRunTask(task);
		told.add(task);
		tell(task);
	}
}

const told = new Set();
let failed = false;
const fail = (name, error) => {
	failed = true;
	const text = `${error?.message ?? error}\n${error?.diff ?? ""}\n${error?.stack ?? ""}`.trim();
	const lines = text.split("\n").slice(0, LAST_LINES);
	console.log(`failed: ${name}: ${lines.join("\n    ")}`);
};

function tell(task) {
	const name = fullName(task);
	const { state, errors = [], note } = task.result ?? {};
	if (state === "pass") console.log(`passed: ${name}`);
	else if (state === "fail") fail(name, errors[0]);
	else console.log(`skipped: ${name}${note ? `: ${note}` : ""}`);
}

function fullName(task) {
	const above = task.suite ? fullName(task.suite) : relative(process.cwd(), task.file.filepath);
	return task === task.file ? above : `${above} ${task.name}`;
}

/** Tells the tests of a suite that did not run, and what failed outside of a test. */
function tellRest(suite) {
	if (suite.result?.state === "fail") for (const error of suite.result.errors ?? []) fail(fullName(suite), error);
	for (const task of suite.tasks) {
		if (task.type === "suite") tellRest(task);
		else if (!told.has(task)) tell(task);
	}
}

for (const event of ["uncaughtException", "unhandledRejection"]) process.on(event, (error) => fail(event, error));
// Node opens a descriptor for itself with its first pipe. vitest's own workers have had one before a test begins.
await once(spawn("true"), "close");
makeTasksInspectable();
skipWhatNeedsProc();
const runner = new Runner();
for (const filepath of process.argv.slice(2)) {
	globalThis.__vitest_worker__.filepath = filepath;
	const start = performance.now();
	const files = await startTests([{ filepath, fileTags: [] }], runner);
	for (const file of files) tellRest(file);
	console.log(`${relative(process.cwd(), filepath)}: ${((performance.now() - start) / 1000).toFixed(1)} s`);
}
process.exit(failed ? 1 : 0);
