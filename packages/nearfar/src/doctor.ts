import { parseArgs } from "node:util";
import type { Report as Found } from "@nearfar/sandbox";
import { UsageError } from "./errors.ts";
import { helps } from "./help.ts";
import { isTerminal, print } from "./print.ts";
import { Progress } from "./progress.ts";

const usage = "nearfar doctor";

/** Says what this host can do, and returns the exit code. */
export async function doctor(args: readonly string[]): Promise<number> {
	const { json, help } = parse(args);
	if (help) return print(helps.doctor);
	const progress = new Progress();
	progress.begin("trying what a sandbox needs");
	let report: Found;
	try {
		const { doctor: examine } = await import("@nearfar/sandbox");
		report = await examine();
	} finally {
		progress.end();
	}
	const text = json ? JSON.stringify(report) : describe(report);
	return print(`${text}\n`) || (report.ok ? 0 : 1);
}

/** The verdict stands in the first line, then comes what was tried, and then what helps. */
function describe({ verdict, items }: Found): string {
	const coloured = isTerminal(1) && !process.env.NO_COLOR;
	const mark = (ok: boolean) => {
		const word = ok ? "works  " : "missing";
		return coloured ? `\x1b[${ok ? 32 : 31}m${word}\x1b[39m` : word;
	};
	const width = Math.max(...items.map(({ name }) => name.length));
	const list = items.map(({ name, ok, cause = "", note = cause }) =>
		`${mark(ok)}  ${name.padEnd(width)}  ${note}`.trimEnd(),
	);
	const fixes = [...new Set(items.flatMap(({ hint }) => hint ?? []))];
	return [verdict, "", ...list, ...(fixes.length > 0 ? ["", ...fixes] : [])].join("\n");
}

function parse(args: readonly string[]): { json?: boolean; help?: boolean } {
	const { tokens, values } = parseArgs({
		args: [...args],
		options: { json: { type: "boolean" }, help: { type: "boolean" } },
		strict: false,
		allowPositionals: true,
		tokens: true,
	});
	for (const token of tokens) {
		if (token.kind === "option-terminator") continue;
		const known = token.kind === "option" && ["--json", "--help"].includes(token.rawName) && token.value === undefined;
		if (known) continue;
		const given = args[token.index];
		throw new UsageError(`nearfar doctor takes --json and --help, and ${JSON.stringify(given)} was given`, usage);
	}
	return values as { json?: boolean; help?: boolean };
}
