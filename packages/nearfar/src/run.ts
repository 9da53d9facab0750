import type { Result, SandboxOptions, StartOptions, Violation } from "@nearfar/sandbox";
import { type Given, parse, toNumber, toOptions } from "./arguments.ts";
import { readConfig } from "./config.ts";
import { explain, UsageError } from "./errors.ts";
import { helps } from "./help.ts";
import { complain, isTerminal, print } from "./print.ts";
import { Progress } from "./progress.ts";
import { Report } from "./report.ts";
import { numberOf, Signals } from "./signals.ts";
import { sizeOfTerminal, Terminal } from "./terminal.ts";

/** To this the number of a signal is added. */
const SIGNALLED = 128;
const MOST_LINES = 10;

/** Runs a command in a sandbox, and returns the exit code. */
export async function run(args: readonly string[]): Promise<number> {
	const given = parse(args);
	if (given.switches.has("help")) return print(helps.run);
	const fd = given.values.json?.at(-1);
	const report = fd === undefined ? undefined : new Report(toNumber(fd, "json"));
	try {
		return await carryOut(given, report);
	} catch (error) {
		const { exitCode, message, ...found } = explain(error);
		complain(message);
		report?.write({ error: { ...found, message } });
		return exitCode;
	}
}

async function carryOut(given: Given, report: Report | undefined): Promise<number> {
	const file = given.values.config?.at(-1);
	const options = toOptions(given, file === undefined ? {} : readConfig(file));
	const [program, ...args] = given.command;
	if (given.switches.has("dry-run")) return await showPlan(options);
	if (program === undefined) {
		throw new UsageError("no command was given: it follows the options, as in nearfar run -- npm test", "nearfar run");
	}
	const signals = new Signals();
	const progress = new Progress();
	try {
		progress.begin("making the sandbox");
		const { start } = await import("@nearfar/sandbox"); // it takes a while to load, and a wrong command line needs none of it
		const child = await start(program, args, { ...options, ...streams(given), signal: signals.aborted });
		progress.end();
		signals.passTo(child);
		const terminal = child.pty && (await Terminal.show(child.pty));
		const result = await child.result;
		await terminal?.end();
		tell(result, options);
		report?.write({ result: withoutOutput(result) });
		return result.code ?? SIGNALLED + numberOf(result.signal);
	} catch (error) {
		if (!signals.aborted.aborted) throw error;
		report?.write({ error: { code: "ABORT_ERR", message: "the second SIGINT came before the command" } });
		return SIGNALLED + numberOf("SIGINT");
	} finally {
		progress.end();
		signals.end();
	}
}

/** The command has the descriptors of this process, or a terminal of its own. */
function streams({ switches }: Given): StartOptions {
	const all = switches.has("tty") || (!switches.has("no-tty") && [0, 1, 2].every(isTerminal));
	return all ? { tty: sizeOfTerminal() ?? true } : { stdio: ["inherit", "inherit", "inherit"] };
}

async function showPlan(options: SandboxOptions): Promise<number> {
	const { plan } = await import("@nearfar/sandbox");
	return print(`${JSON.stringify(plan(options), null, "\t")}\n`);
}

/** Says what the command itself cannot say: what has ended it, and what the sandbox has seen. */
function tell({ reason, violations }: Result, { limits }: SandboxOptions): void {
	if (reason === "timeout") complain(`the command took longer than ${limits?.time} ms, and was ended`);
	if (reason === "memory")
		complain(
			`the command needed more memory than ${limits?.memory ? `the limit of ${limits.memory} bytes` : "there is"}, and was killed`,
		);
	const seen = violations.filter(({ kind, what }) => !(kind === "limit" && (what === "time" || what === "memory")));
	for (const violation of seen.slice(0, MOST_LINES)) complain(sentence(violation));
	if (seen.length > MOST_LINES) complain(`and ${seen.length - MOST_LINES} more, which --json lists`);
}

function sentence({ kind, what }: Violation): string {
	if (kind === "appeared") return `a protected file has appeared: ${what}`;
	if (kind === "limit") return `a limit was reached: ${what}`;
	return `refused: ${what}`;
}

/** The output went to the descriptors of this process. */
function withoutOutput({ stdout: _, stderr: _2, truncated: _3, ...rest }: Result): object {
	return rest;
}
